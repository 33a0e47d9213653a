"""Text of a file: gzip and byte order marks are recognised, other kinds refused by name."""

import codecs
import gzip
import io
from itertools import islice
from pathlib import Path
from typing import TextIO, cast

from data.schema import InputError

_GZIP = b"\x1f\x8b"
_NOT_TEXT = {
    b"PK\x03\x04": "a zip archive or a spreadsheet",
    b"PAR1": "a Parquet file, which a night reads as it is",
    b"\x28\xb5\x2f\xfd": "a zstd archive",
    b"BZh": "a bzip2 archive",
    b"\xfd7zXZ": "an xz archive",
    b"7z\xbc\xaf": "a 7z archive",
    b"\xd0\xcf\x11\xe0": "a spreadsheet",
    b"SQLite": "a SQLite database",
    b'{"': "JSON",
}


def open_text(path: Path, encoding: str | None = None) -> TextIO:
    """Open a text file, or one in gzip; line ends stay as they are.

    Without an encoding: UTF-16 where a byte order mark says so, else UTF-8. `InputError` for an
    unknown encoding, for a file that is no text, and for a pipe, which can be read only once.
    """
    if not path.is_file():
        raise InputError(f"{path} is no file: write what it gives to a file first")
    binary = _open_binary(path)
    head = _peek(path, binary)
    for magic, kind in _NOT_TEXT.items():
        if head.startswith(magic):
            binary.close()
            raise InputError(f"{path} is {kind}: expected CSV as text, plain or in gzip")
    if encoding is None:
        wide = head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        encoding = "utf-16" if wide else "utf-8"
    try:
        return io.TextIOWrapper(binary, encoding=codec(encoding), newline="")
    except InputError:
        binary.close()
        raise


def codec(encoding: str) -> str:
    """Return the codec of an encoding; UTF-8's leaves a byte order mark out."""
    try:
        name = codecs.lookup(encoding).name
    except LookupError as error:
        raise InputError(
            f"--encoding {encoding}: no such encoding; common ones: "
            "utf-8, latin-1, cp1252, utf-16, gb18030, shift_jis"
        ) from error
    return "utf-8-sig" if name == "utf-8" else name


def utf8_or_latin1(path: Path) -> str:
    """Return `utf-8` if the whole file decodes so, else `latin-1`, which decodes any byte."""
    try:
        with open_text(path, "utf-8") as lines:
            for _ in lines:
                pass
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8"


def undecodable(path: Path, error: UnicodeDecodeError) -> InputError:
    """Return the error for a file that is not in the encoding it was read in, with its line."""
    bad = error.object[error.start : error.start + 1]
    where = f"{path}: byte 0x{bad.hex()} is not {error.encoding}"
    with _open_binary(path) as lines:
        for number, line in enumerate(lines, start=1):
            try:
                line.decode(error.encoding)
            except UnicodeDecodeError as found:
                sample = line[max(0, found.start - 20) : found.end + 20].decode("latin-1").strip()
                where = f"{path} line {number}: not {error.encoding}: {sample!r} (as latin-1)"
                break
    return InputError(f"{where}. Name its encoding, for example --encoding latin-1")


def line_of(path: Path, encoding: str | None, number: int) -> str:
    """Return a line of a file, the first being 1, without its end."""
    with open_text(path, encoding) as lines:
        return next(islice(lines, number - 1, None), "").rstrip("\r\n")


def _open_binary(path: Path) -> io.BufferedReader:
    with path.open("rb") as raw:
        zipped = raw.read(2) == _GZIP
    if not zipped:
        return path.open("rb")
    return io.BufferedReader(cast(io.RawIOBase, gzip.GzipFile(path)))


def _peek(path: Path, binary: io.BufferedReader) -> bytes:
    try:
        return binary.peek(8)[:8]
    except (OSError, EOFError) as error:
        binary.close()
        raise InputError(f"{path} is damaged: {error}") from error
