"""Assignment of users to generations and variants, by hash: alike in every process and language."""

from hashlib import sha256

#: Buckets that a salt divides users into; a bucket is 0.01 % of them.
N_BUCKETS = 10_000


def in_canary(user: str, generation: int, share: float) -> bool:
    """Tell whether a user is among the `share` percent who are served `generation` as a canary.

    A greater share includes all of a smaller one; another generation draws other users.

    >>> [user for user in ("u1", "u2", "u3", "u4") if in_canary(user, 44, 50)]
    ['u3']
    """
    return _hashed(str(generation), user) * 100 < share * 2**32


def bucket(salt: str, user: str) -> int:
    """Return a user's bucket under a salt, 0 to 9,999.

    It is the first four bytes of SHA-256 over ``<salt>:<user id>`` (UTF-8, not encoded) as a
    big-endian number, times 10,000, over 2^32, rounded down. Buckets under different salts are
    independent.

    >>> bucket("exp-1", "u1")
    7600
    """
    return _hashed(salt, user) * N_BUCKETS >> 32


def _hashed(salt: str, user: str) -> int:
    hashed = sha256(f"{salt}:{user}".encode("utf-8", "surrogatepass"))
    return int.from_bytes(hashed.digest()[:4], "big")
