"""Check a Redis URL before the first connection.

redis-py accepts any query option in a URL and raises `TypeError` at the first connection. Here only
the options below are valid, each with its type. Messages name an option and what was expected, and
hold no part of the URL that may belong to a password.
"""

import math
import ssl
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlsplit

from redis.asyncio.connection import SSLConnection

_EXPECTED = (
    "expected redis://[user:password@]host:port/db (rediss:// with TLS, unix:///path/to/socket), "
    "with the password percent-encoded"
)
_TRUE, _FALSE = ("true", "t", "yes", "y", "1"), ("false", "f", "no", "n", "0")
_CERT_REQS = ("none", "optional", "required")


def check_url(url: str) -> None:
    """Raise `ValueError` for an invalid URL, without connecting."""
    parts = _split(url)
    options = _options(parts)
    for name, text in options.items():
        kind = _KINDS.get(name)
        if kind is None:
            raise ValueError(f"not a usable Redis URL: {_unknown(name)}")
        if name.startswith("ssl_") and parts.scheme != "rediss":
            raise ValueError(
                f"not a usable Redis URL: {name} needs rediss://, which is Redis by TLS"
            )
        words, is_valid = kind
        if not is_valid(text):
            raise ValueError(f"not a usable Redis URL: {name} must be {words}")
    if parts.scheme == "rediss":
        _check_tls(options)


def _split(url: str) -> SplitResult:
    """Return the parts of a URL with a valid scheme, host, port and database."""
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname, parts.port
    except (ValueError, AttributeError):  # its text can hold part of a password
        raise ValueError(f"not a Redis URL: {_EXPECTED}") from None
    scheme, colon, _ = url.partition("://")
    if parts.scheme not in ("redis", "rediss", "unix") or scheme != parts.scheme:
        # A password may hold "://": then the text before it is no scheme.
        named = f" of {scheme}://" if colon and scheme.isalpha() else ""
        raise ValueError(f"not a Redis URL{named}: {_EXPECTED}")
    if parts.fragment or "@" in parts.path + parts.query or port == 0:
        raise ValueError(f"not a Redis URL: {_EXPECTED} (/ is %2F, ? is %3F, # is %23, @ is %40)")
    if parts.scheme == "unix":
        if host or not parts.path:
            raise ValueError("not a Redis URL: a socket's path is absolute: unix:///path/to/socket")
    elif not _is_database(parts.path.strip("/") or "0"):
        raise ValueError(
            "not a Redis URL: after the host comes the database's number, 0 unless given: "
            "redis://host:port/0"
        )
    return parts


def _options(parts: SplitResult) -> dict[str, str]:
    """Return the query's options; the first of a name counts, as it does for redis-py."""
    options: dict[str, str] = {}
    for name, text in parse_qsl(parts.query, keep_blank_values=True):
        options.setdefault(name, text)
    return options


def _unknown(name: str) -> str:
    near = get_close_matches(name, _KINDS, n=1)
    meant = f" (did you mean {near[0]}?)" if near else ""
    return f"{name[:40]!r} is no option{meant}; those are: {', '.join(sorted(_KINDS))}"


def _check_tls(options: dict[str, str]) -> None:
    """Load certificates, ciphers and versions as the first connection would."""
    given: dict[str, Any] = {name: text for name, text in options.items() if name in _TLS}
    given.setdefault("ssl_password", "")  # without one OpenSSL asks at the terminal
    if version := given.get("ssl_min_version"):
        given["ssl_min_version"] = ssl.TLSVersion(int(version))
    if check := given.get("ssl_check_hostname"):
        given["ssl_check_hostname"] = check.lower() in _TRUE
    try:
        SSLConnection(**given).ssl_context.get()
    except (OSError, ValueError, TypeError) as error:
        raise ValueError(
            f"not a usable Redis URL: its TLS options cannot be met: {error}"
        ) from None


def _is_whole(text: str, low: int = 0) -> bool:
    return text.isascii() and text.strip().isdigit() and int(text) >= low


def _is_database(text: str) -> bool:
    return _is_whole(text) and int(text) < 2**31


def _is_seconds(text: str) -> bool:
    try:
        return 0 < float(text) < math.inf
    except ValueError:
        return False


def _is_name(text: str) -> bool:
    return bool(text) and all("!" <= letter <= "~" for letter in text)


_SECONDS = ("a number of seconds above 0", _is_seconds)
_FLAG = ("true or false", lambda text: text.lower() in _TRUE + _FALSE)
_FILE = ("a file that is there", lambda text: Path(text).is_file())
_TEXT = ("a text", bool)
#: Options of a URL: the description of a valid value, and its check.
_KINDS: dict[str, tuple[str, Callable[[str], bool]]] = {
    "db": ("a database's number, 0 or more", _is_database),
    "username": _TEXT,
    "password": _TEXT,
    "client_name": ("a name without spaces", _is_name),
    "socket_timeout": _SECONDS,
    "socket_connect_timeout": _SECONDS,
    "timeout": _SECONDS,
    "socket_keepalive": _FLAG,
    "socket_read_size": ("a number of bytes above 0", lambda text: _is_whole(text, 1)),
    "retry_on_timeout": _FLAG,
    "health_check_interval": ("a whole number of seconds, 0 or more", _is_whole),
    "max_connections": ("a whole number above 0", lambda text: _is_whole(text, 1)),
    "protocol": ("2 or 3", lambda text: text in ("2", "3")),
    "ssl_cert_reqs": (", ".join(_CERT_REQS), lambda text: text in _CERT_REQS),
    "ssl_check_hostname": _FLAG,
    "ssl_ca_certs": _FILE,
    "ssl_certfile": _FILE,
    "ssl_keyfile": _FILE,
    "ssl_ca_path": ("a folder that is there", lambda text: Path(text).is_dir()),
    "ssl_ca_data": _TEXT,
    "ssl_password": _TEXT,
    "ssl_ciphers": _TEXT,
    "ssl_min_version": (
        "771 (TLS 1.2) or 772 (TLS 1.3)",
        lambda text: text in ("771", "772"),
    ),
}
_TLS = frozenset(name for name in _KINDS if name.startswith("ssl_"))
