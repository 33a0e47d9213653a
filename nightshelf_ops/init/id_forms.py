"""Ids that two files write in different forms, as 7, 007 and 7.0, and the one form for both."""

from dataclasses import dataclass

import duckdb

#: Name -> SQL of a common form, the least change first.
_FORMS = {
    "without spaces around": "trim(@)",
    "without .0": "regexp_replace(trim(@), '[.]0+$', '')",
    "without leading zeros": "regexp_replace(trim(@), '^0+([0-9])', '\\1')",
    "without leading zeros and .0": (
        "regexp_replace(regexp_replace(trim(@), '[.]0+$', ''), '^0+([0-9])', '\\1')"
    ),
    "in lower case": "lower(trim(@))",
}
#: A form must match at least this much more of the ids.
_GAIN = 0.01


@dataclass(frozen=True)
class IdForm:
    """The common form of the ids of two tables; `sql` has @ for the id, empty for as written.

    `matched` is the share of the first table's ids that the second has, before and after; `sample`
    is an id in both forms.
    """

    name: str = ""
    sql: str = ""
    before: float = 1.0
    after: float = 1.0
    sample: tuple[str, str] = ("", "")
    merges: str = ""

    def of(self, expression: str) -> str:
        """Return SQL for an id in this form."""
        return self.sql.replace("@", expression) if self.sql else expression


def common_form(
    db: duckdb.DuckDBPyConnection, one: tuple[str, str], other: tuple[str, str]
) -> IdForm:
    """Return the form in which most ids of the first table are in the second: (table, SQL) each.

    No form is taken under which two ids of a table would become one: they are named in `merges`.
    """
    for name, (table, sql) in (("ids_one", one), ("ids_other", other)):
        db.execute(
            f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT DISTINCT {sql} AS id FROM {table} "
            f"WHERE {sql} IS NOT NULL"
        )
    before = _matched(db, "@")
    best = IdForm(before=before, after=before)
    merges = ""
    for name, sql in _FORMS.items():
        if best.after > 0.999:
            break
        after = _matched(db, sql)
        if after < best.after + _GAIN:
            continue
        if merged := _merged(db, sql):
            merges = merges or merged
            continue
        best = IdForm(name, sql, before, after, _sample(db, sql))
    return best if best.sql else IdForm(before=before, after=before, merges=merges)


def _matched(db: duckdb.DuckDBPyConnection, form: str) -> float:
    mine = form.replace("@", "id")
    share: float = db.execute(
        "SELECT coalesce(avg(CASE WHEN b.k IS NULL THEN 0.0 ELSE 1.0 END), 1) FROM "
        f"(SELECT {mine} AS k FROM ids_one) a LEFT JOIN "
        f"(SELECT DISTINCT {mine} AS k FROM ids_other) b ON a.k = b.k"
    ).fetchall()[0][0]
    return share


def _merged(db: duckdb.DuckDBPyConnection, form: str) -> str:
    """Return two ids of the second table that a form makes one, empty for none."""
    found = db.execute(
        f"SELECT min(id), max(id) FROM ids_other GROUP BY {form.replace('@', 'id')} "
        "HAVING count(*) > 1 ORDER BY 1 LIMIT 1"
    ).fetchall()
    return f"{found[0][0]} and {found[0][1]}" if found else ""


def _sample(db: duckdb.DuckDBPyConnection, form: str) -> tuple[str, str]:
    mine = form.replace("@", "a.id"), form.replace("@", "b.id")
    found = db.execute(
        f"SELECT a.id, b.id FROM ids_one a JOIN ids_other b ON {mine[0]} = {mine[1]} "
        "WHERE a.id <> b.id ORDER BY 1 LIMIT 1"
    ).fetchall()
    return (found[0][0], found[0][1]) if found else ("", "")
