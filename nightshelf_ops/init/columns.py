"""Facts on the columns of a table of text: counts, kinds, ranges, samples."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import duckdb

from data.importers.csv_table import FILE, LINE, NULL_WORDS, quoted
from data.importers.times import is_iso
from nightshelf_ops.init.reading.raw import Raw

#: Distinct values of longer columns are estimated: they are prose.
_LONG_CHARS = 64
_N_SAMPLES = 4
_WHOLE = r"regexp_full_match(v, '\s*[+-]?[0-9]{1,18}\s*')"
_NUMBER = r"regexp_full_match(v, '\s*[+-]?([0-9]+[.,]?[0-9]*|[.,][0-9]+)([eE][+-]?[0-9]{1,3})?\s*')"
_POINT_ZERO = "regexp_full_match(v, '[0-9]+[.]0+')"
_COMMA = "regexp_full_match(v, '[+-]?[0-9]+,[0-9]+')"
_SPACED = "contains(v, ' ')"
#: Share of the values that must fit a kind: the rest are faults, refused one by one.
_MOST = 0.95


@dataclass(frozen=True)
class Column:
    """A column: its number of values that are no null, and of distinct ones.

    `low` and `high` are of its numbers, None where there is none. The shares are of its values.
    """

    name: str
    n_rows: int
    n_values: int
    n_distinct: int
    mean_chars: float
    whole: float
    number: float
    iso: float
    point_zero: float
    comma: float
    spaced: float
    low: float | None
    high: float | None
    samples: tuple[str, ...]

    @property
    def is_empty(self) -> bool:
        """True where no row has a value."""
        return self.n_values == 0

    @property
    def is_unique(self) -> bool:
        """True where each row has a value of its own."""
        return self.n_distinct == self.n_values == self.n_rows > 0

    @property
    def is_number(self) -> bool:
        """True where the values are numbers."""
        return self.number >= _MOST

    @property
    def is_whole(self) -> bool:
        """True where the values are whole numbers."""
        return self.whole >= _MOST

    @property
    def is_id(self) -> bool:
        """True where the values can be ids: short, no times; decimals only where so named."""
        return self.n_values > 0 and self.mean_chars <= _LONG_CHARS and not self.is_time

    @property
    def is_time(self) -> bool:
        """True where most values are ISO 8601 times: the others are refused one by one."""
        return self.iso > 0.5

    @property
    def is_decimal(self) -> bool:
        """True where the values are numbers with places that say something."""
        return self.is_number and self.whole + self.point_zero < _MOST


@dataclass(frozen=True)
class Looked:
    """A table that was looked at."""

    raw: Raw
    columns: tuple[Column, ...]
    n_rows: int

    @property
    def name(self) -> str:
        """The DuckDB table."""
        return self.raw.name

    @property
    def title(self) -> str:
        """A name for people."""
        return self.raw.source.title

    @property
    def headed(self) -> bool:
        """True where the columns have names of their own."""
        form = self.raw.source.form
        return form is None or form.headed

    @cached_property
    def by_name(self) -> dict[str, Column]:
        """The columns by name."""
        return {column.name: column for column in self.columns}


def known(value: str) -> str:
    """Return SQL for a text that is null where it is blank or a null word."""
    words = ", ".join("'" + word.replace("'", "''") + "'" for word in NULL_WORDS)
    return f"CASE WHEN trim({value}) = '' OR trim({value}) IN ({words}) THEN NULL ELSE {value} END"


def look(db: duckdb.DuckDBPyConnection, raw: Raw) -> Looked:
    """Return the facts on a table."""
    names = [name for name in db.table(raw.name).columns if name not in (FILE, LINE)]
    n_rows = len(db.table(raw.name))
    return Looked(raw, tuple(_column(db, raw.name, name, n_rows) for name in names), n_rows)


def _column(db: duckdb.DuckDBPyConnection, table: str, name: str, n_rows: int) -> Column:
    sql = (
        f"SELECT count(v), approx_count_distinct(v), coalesce(avg(length(v)), 0), "
        f"{_share(_WHOLE)}, "
        f"{_share(_NUMBER)}, {_share(is_iso('v'))}, "
        f"{_share(_POINT_ZERO)}, "
        f"{_share(_COMMA)}, {_share(_SPACED)}, "
        f"min(n), max(n) FROM (SELECT v, TRY_CAST(replace(v, ',', '.') AS DOUBLE) AS n "
        f"FROM (SELECT {known(quoted(name))} AS v FROM {table}))"
    )
    n_values, n_distinct, chars, *facts = db.execute(sql).fetchall()[0]
    whole, number, iso, point_zero, comma, spaced, low, high = facts
    if chars <= _LONG_CHARS:
        distinct = f"SELECT count(DISTINCT {known(quoted(name))}) FROM {table}"
        n_distinct = db.execute(distinct).fetchall()[0][0]
    shares = (whole, number, iso, point_zero, comma, spaced)
    samples = _samples(db, table, name)
    return Column(name, n_rows, n_values, n_distinct, chars, *shares, low, high, samples)


def _share(condition: str) -> str:
    return f"coalesce(avg(CASE WHEN {condition} THEN 1.0 ELSE 0.0 END) FILTER (v IS NOT NULL), 0)"


def _samples(db: duckdb.DuckDBPyConnection, table: str, name: str) -> tuple[str, ...]:
    """Return the first distinct values, in the order of the rows."""
    value = known(quoted(name))
    sql = (
        f"SELECT v FROM (SELECT {value} AS v, {FILE} AS f, {LINE} AS l FROM {table} "
        f"WHERE {value} IS NOT NULL ORDER BY {FILE}, {LINE} LIMIT 1000) "
        f"GROUP BY v ORDER BY min((f, l)) LIMIT {_N_SAMPLES}"
    )
    return tuple(text for (text,) in db.execute(sql).fetchall())


def share_of(db: duckdb.DuckDBPyConnection, one: tuple[str, str], among: tuple[str, str]) -> float:
    """Return the share of a column's distinct values that another column has: (table, SQL) each."""
    sql = (
        f"SELECT coalesce(avg(CASE WHEN b.v IS NULL THEN 0.0 ELSE 1.0 END), 0) FROM "
        f"(SELECT DISTINCT {one[1]} AS v FROM {one[0]}) a LEFT JOIN "
        f"(SELECT DISTINCT {among[1]} AS v FROM {among[0]}) b ON a.v = b.v WHERE a.v IS NOT NULL"
    )
    share: float = db.execute(sql).fetchall()[0][0]
    return share


def determines(db: duckdb.DuckDBPyConnection, table: str, one: str, other: str) -> float:
    """Return the share of a column's values that go with one value of another column alone."""
    sql = (
        f"SELECT coalesce(avg(CASE WHEN n <= 1 THEN 1.0 ELSE 0.0 END), 0) FROM "
        f"(SELECT count(DISTINCT {known(quoted(other))}) AS n FROM {table} "
        f"WHERE {known(quoted(one))} IS NOT NULL GROUP BY {quoted(one)})"
    )
    share: float = db.execute(sql).fetchall()[0][0]
    return share


def names_by_score(table: Looked, scores: Sequence[tuple[int, Column]]) -> list[str]:
    """Return the names of columns with a score, best first, then in the table's order."""
    order = {column.name: n for n, column in enumerate(table.columns)}
    kept = [(score, column.name) for score, column in scores if score > 0]
    return [name for _, name in sorted(kept, key=lambda each: (-each[0], order[each[1]]))]
