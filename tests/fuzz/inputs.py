"""Ids, cursors, headers and bodies, most of them hostile."""

import json
from urllib.parse import quote

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from tests.faults.test_ids import PIECES

KNOWN = ["ann", "bob", "cid", "dot", "A1", "B1", "C1"]
_STRANGE = st.lists(st.sampled_from(PIECES) | st.characters(), max_size=6).map("".join)
#: Names that are there, other keys and commands in disguise, any text at all, huge ones.
IDS = st.one_of(st.sampled_from(KNOWN), *[_STRANGE] * 5, st.integers(60, 2_000).map("é".__mul__))
SEGMENTS = st.one_of(
    st.sampled_from(["all", "trending", "new", "segment:gold", "category:Lamps"]),
    st.sampled_from(["category:", "segment:", "all:", ""]).flatmap(
        lambda kind: IDS.map(kind.__add__)
    ),
)
_NUMBERS = st.sampled_from(["1", "0", "2", "-1", "1e3", "9" * 18, "9" * 19, "\u0661", ""])
_FILTERS = st.sampled_from(["-", "0" * 8, "*"])
_LEVELS = st.builds(
    "{}:{}".format, st.sampled_from(["list", "popular", "similar", "user", ""]), SEGMENTS | IDS
)
CURSORS = st.one_of(
    st.sampled_from(["1.1.-.list%3Aals", "1.1.-.popular%3Aall", "1.0.-.popular%3Afavorites"]),
    st.tuples(
        _NUMBERS, _NUMBERS, _FILTERS, _LEVELS.map(lambda level: quote(level, errors="replace"))
    ).map(".".join),
    st.tuples(IDS, IDS).map(
        lambda each: f"1.1.-.list%3Aals!{quote(':'.join(each), errors='replace')}"
    ),
    IDS,
)


def drawing(n: int) -> settings:
    """Return how to draw `n` examples: no others than the seed's, and the simplest that fails."""
    return settings(
        max_examples=n,
        database=None,
        deadline=None,
        derandomize=False,
        report_multiple_bugs=False,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )


def _header(text: str) -> str:
    return text.strip() or "-"


_VALUES = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_categories=["Cc"])
).map(_header)
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "X-Request-ID": _VALUES,
        "Origin": _VALUES,
        "Accept": _VALUES,
        "X-Forwarded-For": _VALUES,
        "Content-Encoding": st.sampled_from(["gzip", "identity", "br"]),
    },
)
TYPES = st.sampled_from(
    [
        "text/plain",
        "application/json; charset=utf-16",
        "multipart/form-data",
        "application/xml",
        "x",
    ]
)
_JSON = st.fixed_dictionaries(
    {"user_id": IDS},
    optional={
        "item_id": IDS,
        "action": st.sampled_from(["purchase", "view", "rating", "profile_update"]),
        "model": IDS,
        "variant": IDS,
        "event_id": IDS,
        "n": st.integers(),
        "model_name": IDS,
        "cursor": CURSORS,
        "filters": st.fixed_dictionaries(
            {}, optional={"categories": st.lists(IDS), "min_price": st.floats()}
        ),
    },
).map(lambda said: json.dumps(said).encode())
_BYTES = st.sampled_from(
    [
        b"",
        b"{",
        b"\xff",
        b"[" * 60_000,
        b'{"a":' * 9_000,
        b'{"user_id":"a","n":' + b"9" * 5_000 + b"}",
        b'{"user_id":"\\ud800","item_id":"a"}',
        b'{"user_id":"a","user_id":"b","item_id":"\\u0000"}',
        b"NaN",
        b'{"user_id":"a","item_id":"b","latency_ms":1e999}',
        b" " * 70_000,
    ]
)
BODIES = st.one_of(_JSON, _BYTES, st.binary(max_size=64))
