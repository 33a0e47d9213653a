"""Assignment of users to generations, by hash: alike in every process and language."""

from hashlib import sha256


def in_canary(user: str, generation: int, share: float) -> bool:
    """Tell whether a user is among the `share` percent who are served `generation` as a canary.

    A greater share includes all of a smaller one; another generation draws other users.

    >>> [user for user in ("u1", "u2", "u3", "u4") if in_canary(user, 44, 50)]
    ['u3']
    """
    hashed = sha256(f"{generation}:{user}".encode("utf-8", "surrogatepass"))
    return int.from_bytes(hashed.digest()[:4], "big") * 100 < share * 2**32
