"""Validation of every row of the three relations: good, bad for a reason, or after `as_of`."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import duckdb

from nightshelf.contract.keys import MAX_ID_BYTES
from tasks.ingest.contract import Inputs, Relation
from tasks.ingest.deduplicate import find_repeated
from tasks.ingest.raw_rows import raw_sql
from tasks.ingest.settings import EventSettings
from tasks.io.duckdb_session import query

_LATER = "after as_of"


@dataclass(frozen=True)
class Validation:
    """Rows by relation and reason, empty for good ones; idle events are not among them."""

    rows: Mapping[str, Counter[str]]
    n_idle: int

    @property
    def n_read(self) -> int:
        """Rows of all three relations."""
        return sum(counts.total() for counts in self.rows.values())

    @property
    def n_later(self) -> int:
        """Rows later than `as_of`."""
        return sum(counts[_LATER] for counts in self.rows.values())

    @property
    def reasons(self) -> dict[str, int]:
        """Bad rows by reason, the commonest first."""
        bad = sum((self.bad(relation) for relation in self.rows), Counter[str]())
        return dict(sorted(bad.items(), key=lambda each: (-each[1], each[0])))

    def bad(self, relation: str) -> Counter[str]:
        """Return the bad rows of a relation by reason."""
        counts = self.rows.get(relation, Counter[str]())
        return Counter({reason: n for reason, n in counts.items() if reason not in ("", _LATER)})

    def n_up_to(self, relation: str) -> int:
        """Return the number of a relation's rows up to `as_of`."""
        counts = self.rows.get(relation, Counter[str]())
        return counts.total() - counts[_LATER]

    def too_many(self, max_bad_share: float) -> str:
        """Describe the relations with a larger share of bad rows; empty if there is none."""
        sentences = []
        for relation in self.rows:
            bad, n = self.bad(relation), self.n_up_to(relation)
            if (share := bad.total() / max(n, 1)) > max_bad_share:
                reasons = ", ".join(f"{reason}: {count:,}" for reason, count in bad.most_common())
                sentences.append(
                    f"{relation}: {bad.total():,} of {n:,} rows ({share:.2%}) are bad, more than "
                    f"the {max_bad_share:.2%} allowed: {reasons}"
                )
        return "; ".join(sentences)


def validate(
    db: duckdb.DuckDBPyConnection,
    inputs: Inputs,
    settings: EventSettings,
    as_of: datetime,
    now: datetime,
) -> Validation:
    """Make the tables validated_items, validated_users and validated_events, and count their rows.

    `find_repeated` then makes the views of events that occur more than once.
    """
    parameters = rules_of(settings, as_of, now)
    for relation in (inputs.items, inputs.users, inputs.events):
        validate_relation(db, relation, parameters)
    find_repeated(db)
    idle = db.execute(query("ingest/count_idle"), {"idle": parameters["idle"]}).fetchall()
    return Validation(count_rows(db), idle[0][1])


def rules_of(settings: EventSettings, as_of: datetime, now: datetime) -> dict[str, Any]:
    """Return the parameters of the statements that validate."""
    return {
        "as_of": as_of,
        "now": now + timedelta(seconds=settings.clock_tolerance_s),
        "max_id_bytes": MAX_ID_BYTES,
        "may_be_negative": list(settings.may_be_negative),
        "idle": list(settings.idle),
    }


def count_rows(db: duckdb.DuckDBPyConnection) -> dict[str, Counter[str]]:
    """Count the rows of the three validated tables by relation and reason; '' for good ones."""
    rows: dict[str, Counter[str]] = {name: Counter() for name in ("events", "items", "users")}
    for name, reason, n in db.execute(query("ingest/count_reasons")).fetchall():
        rows[name][reason or ""] = n
    return rows


def validate_relation(
    db: duckdb.DuckDBPyConnection, relation: Relation, parameters: dict[str, Any]
) -> None:
    """Make the table validated_<relation>: every row with its `reason`, null for a good one."""
    name = relation.name
    if name == "events":
        known = "SELECT item_id FROM validated_items WHERE reason IS NULL"
        db.execute(f"CREATE TEMP VIEW known_items AS {known}")
    db.execute(f"CREATE TEMP VIEW raw_{name} AS {raw_sql(db, relation)}")
    sql = query(f"ingest/validate_{name}")
    used = {key: value for key, value in parameters.items() if f"${key}" in sql}
    db.execute(f"CREATE TEMP TABLE validated_{name} AS {sql}", used)
