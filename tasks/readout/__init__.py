"""Readout of experiments: exposures joined to outcomes, sums by variant, verdicts, a page.

DuckDB joins the collected log into one row of sums a variant, day and segment (`sums.py`, `sql/`);
`tasks/statistics` compares them; `judge.py` says what they say (docs/decisions/0049-statistics.md).
"""
