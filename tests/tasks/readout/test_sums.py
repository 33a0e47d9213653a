"""Sums against a definition written in plain Python over each user's events."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.errors import InputError
from tasks.experiments.definition import Metric
from tasks.readout.log import Asked
from tasks.readout.measures import Counted
from tasks.readout.settings import ReadoutSettings
from tasks.readout.sums import Sums, sum_up
from tasks.statistics.moments import total
from tests.tasks.readout.logs import HOUR, START, Row, event, shown, write_log

ROLES = {"purchase": ("purchase", "order"), "click": ("click",)}
COUNTED = Counted(tuple(map(Metric.named, ("conversion", "ctr", "revenue", "like"))), ROLES)
SETTINGS = ReadoutSettings(before_days=3, revenue_quantile=0.9)
UNTIL = START + 10 * 24 * HOUR
WINDOW = 24 * HOUR


def summed(folder: Path, rows: Sequence[Row], **given: Any) -> Sums:
    log = write_log(folder / "log.parquet", rows)
    asked = Asked(given.pop("experiment", "exp"), START, UNTIL, COUNTED)
    return sum_up(log, asked, SETTINGS, folder, **given)


def random_log(seed: int, n: int) -> list[Row]:
    rng = np.random.default_rng(seed)
    rows: list[Row] = [shown("u7", "a", 5), shown("u7", "b", 6)]
    for _ in range(n):
        user, hour = f"u{rng.integers(30)}", float(np.round(rng.uniform(-80, 245), 1))
        item = f"i{rng.integers(4)}"
        kind = rng.choice(["shown", "impression", "click", "purchase", "order", "like", "view"])
        if kind == "shown":
            phase = 1 if hour < 100 else 2
            variant = "b" if int(user[1:]) % (4 - phase) == 0 else "a"
            rows.append(shown(user, variant, hour, item, phase))
        else:
            value = float(np.round(rng.gamma(2, 10), 2)) if kind in ("purchase", "order") else None
            rows.append(event(user, str(kind), hour, item, value))
    return rows


def brute_force(rows: list[Row]) -> dict[tuple[Any, ...], dict[str, Any]]:
    """Return the variables of each user of a phase: (phase, user) -> variables and group."""
    exposures = defaultdict(list)
    for row in rows:
        own = row.get("experiment") == "exp" and START <= row["ts"] < UNTIL - WINDOW
        if own:
            exposures[row["user_id"]].append(row)
    users: dict[tuple[Any, ...], dict[str, Any]] = {}
    for user, seen in exposures.items():
        first = min(each["ts"] for each in seen)
        for phase in {each["phase"] for each in seen}:
            mine = [each for each in seen if each["phase"] == phase]
            if len({each["variant"] for each in mine}) > 1:
                continue
            earlier = [
                r for r in rows if r["user_id"] == user and first - 72 * HOUR <= r["ts"] < first
            ]
            users[phase, user] = {
                "variant": mine[0]["variant"],
                "day": min(each["ts"] for each in mine).date(),
                "is_returning": phase > min(each["phase"] for each in seen),
                "shown": len(mine),
                "pre_shown": sum(r["event_type"] == "impression" for r in earlier),
                "pre_m0": min(1, sum(r["event_type"] in ROLES["purchase"] for r in earlier)),
                "pre_m1": sum(r["event_type"] == "click" for r in earlier),
                "pre_m2": sum(r["value"] or 0 for r in earlier),
                "pre_m3": min(1, sum(r["event_type"] == "like" for r in earlier)),
            } | _outcomes(user, phase, seen, rows)
    for name in ("m2", "pre_m2"):
        buyers = sorted(u[name] for u in users.values() if u[name] > 0)
        cap = buyers[int(np.ceil(0.9 * len(buyers))) - 1]
        for each in users.values():
            each[name] = min(each[name], cap)
    return users


def _outcomes(user: str, phase: int, seen: list[Row], rows: list[Row]) -> dict[str, float]:
    found: dict[str, float] = dict.fromkeys(("m0", "m1", "m2", "m3"), 0)
    clicked = set()
    for row in rows:
        if row["user_id"] != user or row["ts"] >= UNTIL or row["ts"] < START:
            continue
        near = [e for e in seen if row["ts"] - WINDOW < e["ts"] <= row["ts"]]
        if row["event_type"] == "click":
            near = [e for e in near if e["item_id"] == row["item_id"]]
        if not near or (last := max(near, key=lambda e: (e["ts"], e["phase"])))["phase"] != phase:
            continue
        if row["event_type"] == "click":
            clicked.add((last["ts"], row["item_id"]))
        elif row["event_type"] == "like":
            found["m3"] = 1
        elif row["event_type"] in ROLES["purchase"]:
            found["m0"] = 1
            found["m2"] += row["value"] or 0
    return found | {"m1": len(clicked)}


@pytest.mark.parametrize("seed", range(4))
def test_sums_are_those_of_each_user_by_hand(tmp_path: Path, seed: int) -> None:
    log = random_log(seed, 1_500)
    users = brute_force(log)
    found = summed(tmp_path, log)
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = defaultdict(list)
    for (phase, _), each in users.items():
        groups[phase, each["variant"], each["day"], "unknown", each["is_returning"]].append(each)
    assert len(found.rows) == len(groups)
    for row in found.rows:
        mine = groups[row.phase, row.variant, row.day, row.segment, row.is_returning]
        assert row.moments.n == len(mine)
        for name, value in row.moments.sums.items():
            assert value == pytest.approx(sum(each[name] for each in mine)), name
        for (a, b), value in row.moments.products.items():
            assert value == pytest.approx(sum(each[a] * each[b] for each in mine)), (a, b)
    assert found.n_crossed == 1
    assert found.rows == summed(tmp_path, log[::-1]).rows


def test_an_event_sent_twice_counts_once_and_one_too_young_waits(tmp_path: Path) -> None:
    rows = [shown("u1", "a", 1), event("u1", "purchase", 2, value=5.0)]
    late = shown("u2", "a", 9 * 24 + 1)
    twice = [{"event_id": f"x{at % 2}"} | row for at, row in enumerate(rows * 3)]
    found = summed(tmp_path, [*twice, late])
    (row,) = found.rows
    assert (row.moments.n, row.moments.sums["shown"], row.moments.sums["m2"]) == (1, 1, 5.0)
    assert (found.n_exposures, found.n_waiting) == (1, 1)


def test_segments_and_ages(tmp_path: Path) -> None:
    users = tmp_path / "users.parquet"
    pq.write_table(pa.table({"user_id": ["u1"], "segment": ["gold"]}), users)
    rows = [shown("u1", "a", 1), shown("u1", "a", 30), event("u1", "click", 31, "i1")]
    found = summed(tmp_path, [*rows, shown("u2", "b", 26)], users=users)
    assert [(r.variant, r.segment, r.day.day) for r in found.rows] == [
        ("a", "gold", 2),
        ("b", "unknown", 3),
    ]
    ages = {(r.variant, r.age): r.moments.sums["m1"] for r in found.ages}
    assert ages == {("a", 0): 0, ("a", 1): 1, ("b", 0): 0}


def test_every_impression_is_an_exposure_where_no_experiment_is_named(tmp_path: Path) -> None:
    rows = [event("u1", "impression", 1, "i1"), shown("u2", "a", 2), event("u2", "click", 3, "i1")]
    found = summed(tmp_path, rows, experiment=None)
    both = total(row.moments for row in found.rows)
    assert (both.n, both.sums["shown"], both.sums["m1"]) == (2, 2, 1)
    assert {row.variant for row in found.rows} == {""}


def test_a_log_of_few_columns_and_one_of_wrong_ones(tmp_path: Path) -> None:
    log = tmp_path / "log.parquet"
    asked = Asked(None, START, UNTIL, COUNTED)
    times = pa.array([START + HOUR, START + 2 * HOUR], pa.timestamp("us", "UTC"))
    columns = {"user_id": ["u", "u"], "event_type": ["impression", "purchase"], "ts": times}
    pq.write_table(pa.table(columns), log)
    (row,) = sum_up(log, asked, SETTINGS, tmp_path).rows
    assert row.moments.sums["m0"] == 1
    pq.write_table(pa.table(columns | {"ts": ["yesterday", "today"]}), log)
    with pytest.raises(InputError, match=r"events: .*log\.parquet cannot be read"):
        sum_up(log, asked, SETTINGS, tmp_path)


def test_only_partitions_of_the_time_are_read(tmp_path: Path) -> None:
    for day, user in ((1, "u1"), (40, "u2")):
        folder = tmp_path / "log" / f"date={START + timedelta(days=day):%Y-%m-%d}"
        folder.mkdir(parents=True)
        write_log(folder / "a.parquet", [shown(user, "a", 24 * day)])
        if day == 40:
            (folder / "a.parquet").write_bytes(b"PAR1, and no Parquet")
    asked = Asked("exp", START, UNTIL, COUNTED)
    assert total(r.moments for r in sum_up(tmp_path / "log", asked, SETTINGS, tmp_path).rows).n == 1
