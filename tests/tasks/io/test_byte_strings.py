"""Strings end to end, against Python's own lists of bytes."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.io.byte_strings import ByteStrings, byte_ranges


@given(st.lists(st.binary(max_size=40)), st.binary(min_size=1), st.integers(0, 3))
def test_a_sought_byte_is_found_wherever_it_stands(
    strings: list[bytes], sought: bytes, n_left_out: int
) -> None:
    start = min(n_left_out, len(strings))
    column = ByteStrings.of(strings).slice(start, len(strings))
    held = set(b"".join(strings[start:])) & set(sought)
    assert column.contains_any(byte_ranges(sought)) == bool(held)


@given(st.data(), st.lists(st.binary(max_size=9), min_size=1), st.integers(0, 3))
def test_some_are_taken_in_the_order_asked(
    data: st.DataObject, strings: list[bytes], n_left_out: int
) -> None:
    kept = strings[min(n_left_out, len(strings) - 1) :]
    which = data.draw(st.lists(st.integers(0, len(kept) - 1)))
    column = ByteStrings.of(strings).slice(len(strings) - len(kept), len(strings))
    assert list(column.take(np.array(which, np.int64))) == [kept[at] for at in which]


@given(
    st.lists(st.text(max_size=5)),
    st.integers(0, 3),
    st.sampled_from([pa.string(), pa.binary(), pa.large_string(), pa.large_binary()]),
)
def test_texts_of_arrow_are_its_own_whatever_was_cut_off(
    strings: list[str], n_left_out: int, kind: pa.DataType
) -> None:
    array = pa.array([text.encode() for text in strings], pa.binary()).cast(kind)
    assert list(ByteStrings.of(array.slice(n_left_out))) == [
        s.encode() for s in strings[n_left_out:]
    ]


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(KeyError):
        ByteStrings.of(pa.array(["a", "b"]).dictionary_encode())
