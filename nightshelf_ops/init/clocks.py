"""Forms of times: ISO 8601, Unix times by their unit, dates day first or month first."""

import re
from dataclasses import dataclass

import duckdb

from data.importers.csv_table import FILE, LINE, quoted
from data.importers.times import format_shares
from nightshelf_ops.init.columns import Column, Looked, known
from nightshelf_ops.init.vocabulary import score

#: Unit -> value of 1989 and of 2099 as a time in it.
_UNITS = {
    "seconds": (6e8, 4.1e9),
    "milliseconds": (6e11, 4.1e12),
    "microseconds": (6e14, 4.1e15),
    "nanoseconds": (6e17, 4.1e18),
}
_MOST = 0.95
_OFFSET = r".*(Z|UTC|GMT|[+-][0-9]{2}(:?[0-9]{2})?)\s*"
_LIKE_DATE = re.compile(
    r"\s*([0-9]{1,4}[-/. ]([0-9]{1,2}|[A-Za-z]{3,9})[-/. ,]|[A-Za-z]{3,9}[. ]+[0-9]|[0-9]{8})"
)
_ZONE_NAME = re.compile(r".*[0-9] ?([A-Z]{3,4})")


@dataclass(frozen=True)
class Clock:
    """The form of a column of times.

    `form` is `ISO 8601`, a unit since 1970, or a format of strptime. `other` is a second format
    that fits as well, empty for none. `zoned` tells whether the values name their offset.
    """

    column: str
    form: str
    other: str = ""
    zoned: bool = False

    @property
    def in_words(self) -> str:
        """The form for people."""
        if self.form in _UNITS:
            return f"{self.form} since 1970"
        if self.form == "ISO 8601":
            return self.form
        order = {"%d": "day first", "%m": "month first"}.get(self.form[:2], "")
        return f"{self.form}{f' ({order})' if order else ''}"

    def sql(self, zone: str) -> str:
        """Return SQL for the time as ISO 8601 text, and for what is no time as it is written."""
        text = quoted(self.column)
        number = f"TRY_CAST({text} AS DOUBLE)"
        whole = f"TRY_CAST({number} AS BIGINT)"
        if self.form == "ISO 8601":
            if zone == "UTC" or self.zoned:
                return text
            local = _at(f"TRY_CAST({text} AS TIMESTAMP)", zone)
            offset = f"regexp_full_match({text}, '{_OFFSET}')"
            return f"CASE WHEN {offset} THEN {text} ELSE coalesce({local}, {text}) END"
        instants = {
            "seconds": f"to_timestamp({number})",
            "milliseconds": f"epoch_ms({whole})",
            "microseconds": f"make_timestamp({whole})",
            "nanoseconds": f"make_timestamp({whole} // 1000)",
        }
        if instant := instants.get(self.form):
            return f"coalesce(CAST(TRY({instant}) AS VARCHAR), {text})"
        parsed = f"try_strptime(trim({text}), '{self.form}')"
        local = f"CAST({parsed} AS VARCHAR)" if self.zoned else _at(parsed, zone)
        return f"coalesce({local}, {text})"


def _at(timestamp: str, zone: str) -> str:
    if zone == "UTC":
        return f"CAST({timestamp} AS VARCHAR)"
    return f"CAST(timezone('{zone}', {timestamp}) AS VARCHAR)"


def find_clocks(db: duckdb.DuckDBPyConnection, table: Looked, dates: str = "") -> list[Clock]:
    """Return the columns of times, the likeliest first; `dates` is `day first` or `month first`."""
    found = []
    for place, column in enumerate(table.columns):
        named = score("time", column.name) if table.headed else 1
        if column.is_empty or not (named or column.is_time):
            continue
        if clock := _clock(db, table, column, dates):
            seconds = clock.form in _UNITS or "%H" in clock.form or column.mean_chars > 10
            found.append(((-named, not seconds, place), clock))
    return [clock for _, clock in sorted(found, key=lambda each: each[0])]


def unread_time(table: Looked) -> str:
    """Return the reason for which a column named as a time is none, empty without such a column."""
    for column in table.columns:
        if score("time", column.name) >= 2 and not column.is_empty and table.headed:
            sample = column.samples[0]
            why = "its form is not known"
            if (zone := _ZONE_NAME.fullmatch(sample)) and zone[1] not in ("UTC", "GMT"):
                why = f"{zone[1]} names no zone for certain: write an offset, as +01:00, or Z"
            return f"{table.title}: {column.name} holds {sample!r}, which is not read: {why}"
    return ""


def _clock(
    db: duckdb.DuckDBPyConnection, table: Looked, column: Column, dates: str
) -> Clock | None:
    if column.is_time:
        text = quoted(column.name)
        zoned = f"avg(CASE WHEN regexp_full_match({text}, '{_OFFSET}') THEN 1 ELSE 0 END)"
        share = db.table(table.name).filter(f"length({text}) > 10").aggregate(zoned)
        return Clock(column.name, "ISO 8601", zoned=(share.fetchall()[0][0] or 0) >= _MOST)
    if column.is_number and column.low is not None:
        if unit := _unit(db, table, column):
            return Clock(column.name, unit)
        if not column.is_whole or column.mean_chars != 8:
            return None
    if not any(_LIKE_DATE.match(sample) for sample in column.samples):
        return None
    shares = format_shares(db.table(table.name), column.name, at_least=_MOST)
    if column.is_number:
        shares = {f: share for f, share in shares.items() if f == "%Y%m%d"}
    if not shares:
        return None
    best = max(shares.values())
    fit = [f for f, share in shares.items() if share > best - 0.001]
    fit.sort(key=lambda f: (_descents(db, table, column.name, f), f))
    fit = [f for f in fit if dates and f[:2] == _FIRST.get(dates)] or fit
    other = "" if dates else next((f for f in fit[1:] if f[:2] != fit[0][:2]), "")
    return Clock(column.name, fit[0], other, zoned="%z" in fit[0])


_FIRST = {"day first": "%d", "month first": "%m"}


def _unit(db: duckdb.DuckDBPyConnection, table: Looked, column: Column) -> str:
    text = f"TRY_CAST({known(quoted(column.name))} AS DOUBLE)"
    low, median, high = db.execute(
        f"SELECT quantile_disc(n, [0.05, 0.5, 0.95]) FROM (SELECT {text} AS n FROM {table.name})"
    ).fetchall()[0][0]
    for unit, (first, last) in _UNITS.items():
        if first <= median <= last and (table.headed or first <= low <= high <= last):
            return unit
    return ""


def _descents(db: duckdb.DuckDBPyConnection, table: Looked, column: str, form: str) -> int:
    """Count the rows whose time is before that of the row above: logs are mostly in order."""
    sql = (
        f"SELECT count_if(t < before) FROM (SELECT t, lag(t) OVER (ORDER BY f, l) AS before FROM "
        f"(SELECT try_strptime(trim({quoted(column)}), '{form}') AS t, {FILE} AS f, {LINE} AS l "
        f"FROM {table.name} ORDER BY f, l LIMIT 100000))"
    )
    count: int = db.execute(sql).fetchall()[0][0]
    return count
