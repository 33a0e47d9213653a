"""The night's statements in Spark's SQL: parsed as DuckDB's, rewritten where Spark differs.

sqlglot translates syntax and most functions. Left to do are the macros of `io/sql/event_rules.sql`,
the parameters, and functions whose names or results differ:

============================ =====================================================================
DuckDB                       Spark
============================ =====================================================================
`event_points(w, age, h)`    a column of the broadcast table `event_points`, made once by DuckDB:
                             the two engines' powers may differ in the last bit
other macros                 their bodies
`$name`                      a literal; an instant is a TIMESTAMP_NTZ in UTC
`* REPLACE (e AS c)`         `* EXCEPT (c), e AS c`
`SEMI JOIN ... USING`        `SEMI JOIN ... ON`, which leaves the columns in their order
`HUGEINT`, sums              DECIMAL(38, 0): all that is summed is whole
`UBIGINT`                    BIGINT
`hash`                       `xxhash64`: marks and samples differ, results do not
`strlen`                     `octet_length`
`url_encode`                 the same, corrected for a space, `*` and `~`
`isfinite`                   neither NaN nor infinite
`to_days`                    `make_dt_interval`
============================ =====================================================================
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import cache

import sqlglot
from sqlglot import exp
from sqlglot.dialects.spark import Spark

from tasks.io.duckdb_session import query

#: The broadcast table of points by weight and age (`tasks/spark/tables.py`).
POINTS = "event_points"
_WHOLE = "DECIMAL(38, 0)"
_FUNCTIONS: Mapping[str, str] = {
    "strlen": "octet_length(@)",
    "url_encode": "replace(replace(replace(url_encode(@), '+', '%20'), '*', '%2A'), '%7E', '~')",
    "isfinite": "NOT isnan(@) AND abs(@) < double('Infinity')",
    "to_days": "make_dt_interval(@)",
}


class _Spark(Spark):
    """Spark's SQL with QUALIFY, which sqlglot would rewrite into one column more."""

    class Generator(Spark.Generator):  # type: ignore[misc, valid-type]
        TRANSFORMS = {  # noqa: RUF012
            kind: write for kind, write in Spark.Generator.TRANSFORMS.items() if kind != exp.Select
        }


def to_spark(sql: str, parameters: Mapping[str, object]) -> str:
    """Return a statement of DuckDB in Spark's SQL, its parameters filled in."""
    tree = sqlglot.parse_one(sql, read="duckdb")
    _join_points(tree)
    for change in (_expanded, _filled(parameters), _changed):
        tree = tree.transform(change)
    for select in tree.find_all(exp.Select):
        _replace_columns(select)
        _keep_order(select)
    return tree.sql(dialect=_Spark, comments=False)


def _join_points(tree: exp.Expr) -> None:
    """Turn each `event_points(weight, age, half-life)` into a look-up in the table."""
    for call in list(tree.find_all(exp.Anonymous)):
        if call.name.lower() != POINTS:
            continue
        weight, age, _ = call.expressions
        select = call.find_ancestor(exp.Select)
        call.replace(exp.column("points", POINTS))
        same = [
            exp.EQ(this=exp.column("of_weight", POINTS), expression=weight.copy()),
            exp.EQ(this=exp.column("of_age_days", POINTS), expression=age.copy()),
        ]
        assert select is not None
        select.join(exp.to_table(POINTS), on=exp.and_(*same), copy=False)


@cache
def _macros() -> Mapping[str, tuple[list[str], exp.Expr]]:
    """Return the macros of every session: name -> names of arguments, body."""
    made = sqlglot.parse(query("io/event_rules"), read="duckdb")
    return {
        each.this.this.name: ([name.name for name in each.this.expressions], each.expression)
        for each in made
        if each is not None
    }


def _expanded(node: exp.Expr) -> exp.Expr:
    """Put a macro's body, with the arguments in it, in place of a call."""
    if not isinstance(node, exp.Anonymous) or node.name.lower() not in _macros():
        return node
    names, body = _macros()[node.name.lower()]
    given = dict(zip(names, node.expressions, strict=True))

    def argument(inner: exp.Expr) -> exp.Expr:
        known = isinstance(inner, exp.Column) and not inner.table and inner.name in given
        return exp.paren(given[inner.name].copy()) if known else inner

    return body.copy().transform(argument)


def _filled(parameters: Mapping[str, object]) -> Callable[[exp.Expr], exp.Expr]:
    """Return a change that puts literals in place of parameters."""

    def fill(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Placeholder | exp.Parameter):
            return _literal(parameters[node.name])
        return node

    return fill


def _literal(value: object) -> exp.Expr:
    if isinstance(value, datetime):
        utc = value.astimezone(UTC) if value.tzinfo else value
        return _cast(utc.replace(tzinfo=None).isoformat(" "), "TIMESTAMP_NTZ")
    if isinstance(value, date):
        return _cast(value.isoformat(), "DATE")
    if isinstance(value, str):
        return exp.Literal.string(value)
    if isinstance(value, Sequence):
        strings = exp.Array(expressions=[_literal(each) for each in value])
        return exp.Cast(this=strings, to=exp.DataType.build("ARRAY<STRING>", dialect="spark"))
    return exp.convert(value)


def _cast(text: str, kind: str) -> exp.Expr:
    literal = exp.Literal.string(text)
    return exp.Cast(this=literal, to=exp.DataType.build(kind, dialect="spark"))


def _changed(node: exp.Expr) -> exp.Expr:
    """Change a function or a type that Spark has otherwise, from the inside out."""
    if isinstance(node, exp.Func):
        name = node.name if isinstance(node, exp.Anonymous) else node.sql_name()
        given = [each.copy().transform(_changed) for each in node.iter_expressions()]
        if name.lower() == "hash":
            return exp.Anonymous(this="xxhash64", expressions=given)
        if template := _FUNCTIONS.get(name.lower()):
            argument = given[0].sql(dialect="spark")
            return exp.paren(sqlglot.parse_one(template.replace("@", argument), read="spark"))
    if isinstance(node, exp.DataType) and node.this in (exp.DType.INT128, exp.DType.UBIGINT):
        return exp.DataType.build(_WHOLE if node.this == exp.DType.INT128 else "BIGINT")
    if isinstance(node, exp.Sum) and not isinstance(node.this, exp.Cast):
        return exp.Sum(this=exp.cast(node.this.transform(_changed), _WHOLE))
    return node


def _replace_columns(select: exp.Select) -> None:
    """Write `* REPLACE (e AS c)` as `* EXCEPT (c), e AS c`."""
    for star in list(select.find_all(exp.Star)):
        if star.find_ancestor(exp.Select) is not select or not star.args.get("replace"):
            continue
        changed = star.args["replace"]
        star.set("replace", None)
        star.set("except_", [each.args["alias"].copy() for each in changed])
        select.set("expressions", [*select.expressions, *(each.copy() for each in changed)])


def _keep_order(select: exp.Select) -> None:
    """Join by ON where rows are only kept or dropped: USING would move its columns to the front."""
    for join in select.args.get("joins", []):
        if join.kind not in ("SEMI", "ANTI") or not join.args.get("using"):
            continue
        ours, theirs = select.args["from_"].this.alias_or_name, join.this.alias_or_name
        names = [each.name for each in join.args["using"]]
        same = [exp.EQ(this=exp.column(n, ours), expression=exp.column(n, theirs)) for n in names]
        join.set("using", None)
        join.set("on", exp.and_(*same))
