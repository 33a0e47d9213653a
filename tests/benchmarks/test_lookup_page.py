"""The page's tables come from what benchmarks print, and all the rest stays."""

import pytest

from benchmarks._lookup_page import BENCHMARKS, PAGE, table
from benchmarks._page import rewritten

BEGIN, END = "<!-- measured by service: begin -->", "<!-- measured by service: end -->"


def test_a_table_is_made_anew_and_nothing_else() -> None:
    page = f"# Reading\n\n{BEGIN}\n\n| old |\n\n{END}\nBelow.\n"
    printed = "machine: two CPUs: small\np99: 3 ms\nwarm\nsources {'a': 1}, causes: {}\nratio: 0.6"
    once = rewritten(page, "service", table(printed))
    head = ["", "| what | measured |", "| --- | --- |"]
    rows = ["| ratio | 0.6 |", "| machine | two CPUs: small |", "| p99 | 3 ms |", ""]
    assert once == "\n".join(["# Reading", "", BEGIN, *head, *rows, END, "Below.\n"])
    assert rewritten(once, "service", table(printed)) == once


def test_a_page_without_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="measured by service"):
        rewritten(f"# Reading\n{END}\n{BEGIN}\n", "service", table("ratio: 1"))


def test_the_page_has_a_place_for_each_benchmark() -> None:
    for name in BENCHMARKS:
        assert "| ratio | 7.7 |" in rewritten(PAGE.read_text(), name, table("ratio: 7.7"))
