"""Redis commands as bytes, many at a time: RESP arrays, each argument with its length before it.

Lengths, never line ends, say where a key or a value stops, so no value can smuggle a command
(https://redis.io/docs/latest/develop/reference/protocol-spec/).
"""

import zlib

import numpy as np
import numpy.typing as npt

from nightshelf.contract.keys import FALLBACK_TTL_FACTOR, TTL_JITTER
from tasks.io.byte_strings import Buffer, Bytes, ByteStrings, Offsets
from tasks.io.jit import compiled
from tasks.publish._jit.bytes import (
    inlined,
    literal,
    n_digits,
    put,
    put_byte,
    put_literal,
    put_number,
)

#: Bytes that a command, or one of its arguments, needs beside key and value, at most.
_ROOM = 128
_LINE = literal(b"\r\n")
_SET, _EX = literal(b"*5\r\n$3\r\nSET\r\n"), literal(b"\r\n$2\r\nEX\r\n")
_DOLLAR, _SPACE = b"$ "
#: CRC-32 of every single byte, before and after the two inversions of the full sum.
_CRC = np.array(
    [zlib.crc32(bytes([byte]), 0xFFFFFFFF) ^ 0xFFFFFFFF for byte in range(256)], np.uint32
)


def set_commands(
    keys: ByteStrings, values: ByteStrings, ttls_s: Offsets, room: Buffer, start: int = 0
) -> Bytes:
    """Return the first `start` bytes of `room`, and ``SET key value EX ttl`` for each key.

    It stands in `room` until the next call.
    """
    out = room.of(start + keys.n_bytes + values.n_bytes + _ROOM * len(keys))
    end = _write_sets(keys.offsets, keys.data, values.offsets, values.data, ttls_s, start, out)
    return out[:end]


def mget_command(keys: ByteStrings) -> bytes:
    """Return one ``MGET`` of all keys."""
    out = np.empty(keys.n_bytes + _ROOM * len(keys), np.uint8)
    end = _write_arguments(keys.offsets, keys.data, out)
    return b"*%d\r\n$4\r\nMGET\r\n" % (len(keys) + 1) + out[:end].tobytes()


def framed(keys: ByteStrings, values: ByteStrings, n_prefix: int, room: Buffer) -> Bytes:
    """Return what the digest takes in: ``<tail's length> <value's length> `` + tail + value.

    A tail is the key without its first `n_prefix` bytes. It stands in `room` until the next call.
    """
    out = room.of(keys.n_bytes + values.n_bytes + _ROOM * len(keys))
    end = _write_frames(keys.offsets, keys.data, values.offsets, values.data, n_prefix, out)
    return out[:end]


def ttls_of(family: str, keys: ByteStrings, base_ttl_s: int) -> npt.NDArray[np.int64]:
    """Return `nightshelf.contract.key_ttl_s` of each key."""
    if family == "popular":
        return np.full(len(keys), FALLBACK_TTL_FACTOR * base_ttl_s)
    sums = np.empty(len(keys), np.uint32)
    _checksum(keys.offsets, keys.data, sums)
    share = sums / np.float64(0xFFFFFFFF)
    return np.rint(base_ttl_s * (1 - TTL_JITTER + 2 * TTL_JITTER * share)).astype(np.int64)


@inlined
def _put_argument(out: Bytes, at: int, data: Bytes, start: int, stop: int) -> int:
    at = put_number(out, put_byte(out, at, _DOLLAR), stop - start)
    return put(out, put_literal(out, at, _LINE), data, start, stop)


@compiled
def _write_sets(
    key_at: Offsets,
    keys: Bytes,
    value_at: Offsets,
    values: Bytes,
    ttls_s: Offsets,
    at: int,
    out: Bytes,
) -> int:
    for i in range(len(ttls_s)):
        at = put_literal(out, at, _SET)
        at = _put_argument(out, at, keys, key_at[i], key_at[i + 1])
        at = put_literal(out, at, _LINE)
        at = _put_argument(out, at, values, value_at[i], value_at[i + 1])
        at = put_literal(out, at, _EX)
        at = put_number(out, put_byte(out, at, _DOLLAR), n_digits(ttls_s[i]))
        at = put_number(out, put_literal(out, at, _LINE), ttls_s[i])
        at = put_literal(out, at, _LINE)
    return at


@compiled
def _write_arguments(key_at: Offsets, keys: Bytes, out: Bytes) -> int:
    at = 0
    for i in range(len(key_at) - 1):
        at = _put_argument(out, at, keys, key_at[i], key_at[i + 1])
        at = put_literal(out, at, _LINE)
    return at


@compiled
def _write_frames(
    key_at: Offsets, keys: Bytes, value_at: Offsets, values: Bytes, n_prefix: int, out: Bytes
) -> int:
    at = 0
    for i in range(len(key_at) - 1):
        start = key_at[i] + n_prefix
        at = put_byte(out, put_number(out, at, key_at[i + 1] - start), _SPACE)
        at = put_byte(out, put_number(out, at, value_at[i + 1] - value_at[i]), _SPACE)
        at = put(out, at, keys, start, key_at[i + 1])
        at = put(out, at, values, value_at[i], value_at[i + 1])
    return at


@compiled
def _checksum(key_at: Offsets, keys: Bytes, sums: npt.NDArray[np.uint32]) -> None:
    """CRC-32 of each key, as `zlib.crc32` (ITU-T V.42, polynomial 0xEDB88320), a byte at a time."""
    for i in range(len(sums)):
        crc = np.uint32(0xFFFFFFFF)
        for at in range(key_at[i], key_at[i + 1]):
            crc = (crc >> np.uint32(8)) ^ _CRC[(crc ^ keys[at]) & np.uint32(0xFF)]
        sums[i] = ~crc
