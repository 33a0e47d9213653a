"""Experiments: test vectors, golden bytes, and assignment beside its definition."""

import json
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightshelf.contract.assignment import bucket
from nightshelf.contract.experiment import Assignment, Experiment, Variant, assigned
from nightshelf.contract.values import Manifest
from nightshelf.errors import CorruptValue

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
EXPERIMENT = Experiment(
    "exp-1",
    2,
    traffic=((0, 2_000),),
    variants=(Variant("now", "blend", ((0, 4_000), (9_000, 10_000))), Variant("ease", "ease")),
    start="2026-03-02T00:00:00+00:00",
)
RAW = (
    b'{"id":"exp-1","phase":2,"traffic":[[0,2000]],"variants":['
    b'{"name":"now","model":"blend","buckets":[[0,4000],[9000,10000]]},'
    b'{"name":"ease","model":"ease","buckets":[]}],'
    b'"start":"2026-03-02T00:00:00+00:00","end":"","status":"running"}'
)


@pytest.mark.parametrize(
    ("salt", "user", "first_bytes", "expected"),
    [
        ("exp-1", "u1", "c291368a", 7600),  # printf 'exp-1:u1' | sha256sum
        ("exp-1", "u2", "b828d846", 7193),
        ("exp-2", "u1", "bce8faf4", 7379),
        ("réf:ü", "1", "cf64659e", 8101),
        ("exp-1", "", "22ae2b71", 1354),
    ],
)
def test_vectors(salt: str, user: str, first_bytes: str, expected: int) -> None:
    assert sha256(f"{salt}:{user}".encode()).hexdigest()[:8] == first_bytes
    assert bucket(salt, user) == expected


@given(st.text(), st.text(st.characters()))
def test_a_bucket_is_the_share_of_the_hash_in_ten_thousandths(salt: str, user: str) -> None:
    """Of any text, lone surrogates too; the contract's sentence written another way."""
    hashed = sha256(f"{salt}:{user}".encode("utf-8", "surrogatepass")).hexdigest()
    drawn = bucket(salt, user)
    assert 0 <= drawn < 10_000
    assert drawn * 2**32 <= int(hashed[:8], 16) * 10_000 < (drawn + 1) * 2**32


def test_bytes_of_the_contract() -> None:
    value = Manifest(7, "", experiments=(EXPERIMENT,)).to_json()
    assert value.endswith(b'"experiments":[' + RAW + b"]}")
    assert Manifest.from_json(value).experiments == (EXPERIMENT,)


def test_manifests_without_them_and_later_fields_are_understood() -> None:
    raw = json.loads(Manifest(7, "", experiments=(EXPERIMENT,)).to_json())
    (experiment,) = raw["experiments"]
    experiment["hypothesis"] = experiment["variants"][0]["weight"] = "later"
    assert Manifest.from_json(json.dumps(raw)).experiments == (EXPERIMENT,)
    del raw["experiments"]
    assert Manifest.from_json(json.dumps(raw)).experiments == ()


@pytest.mark.parametrize(
    "odd",
    [
        {"id": 3},
        {"id": ""},
        {"variants": [{"name": "\ud800", "model": "als", "buckets": []}]},
        {"variants": [{"name": "now", "model": "x" * 513, "buckets": []}]},
        {"phase": "2"},
        {"traffic": [[0, 10_001]]},
        {"traffic": [[-1, 3]]},
        {"traffic": [[3, 2]]},
        {"traffic": [[1]]},
        {"variants": []},
        {"variants": [{"name": "now"}]},
        {"variants": [{"name": "now", "model": None, "buckets": []}]},
        {"start": "2026-03-02"},
        {"end": "soon"},
        {"status": None},
    ],
)
def test_what_is_no_experiment_is_a_corrupt_manifest(odd: dict[str, object]) -> None:
    raw = {"generation": 7, "as_of": "", "experiments": [json.loads(RAW) | odd]}
    with pytest.raises(CorruptValue):
        Manifest.from_json(json.dumps(raw))


def at_status(status: str, start: str = "", end: str = "") -> Experiment:
    return Experiment("e", 1, ((0, 10_000),), (Variant("now", "blend"),), start, end, status)


@pytest.mark.parametrize(
    ("experiment", "runs"),
    [
        (at_status("running"), True),
        (at_status("running", start=NOON.isoformat()), True),
        (at_status("running", start=(NOON + timedelta(seconds=1)).isoformat()), False),
        (at_status("running", end=NOON.isoformat()), False),
        (at_status("running", end=(NOON + timedelta(seconds=1)).isoformat()), True),
        (at_status("running", start="2026-03-02T14:00:00+02:00"), True),
        (at_status("running", start="2026-03-02T12:00:00Z"), True),
        (at_status("stopped"), False),
        (at_status("paused, by a later version"), False),
    ],
)
def test_it_runs_from_its_start_to_its_end_unless_stopped(
    experiment: Experiment, runs: bool
) -> None:
    assert (assigned([experiment], "u1", NOON) is not None) == runs


def test_a_tester_is_given_the_variant_named_and_marked() -> None:
    stopped = Experiment("old", 1, (), (Variant("a:b", "als"),), status="stopped")
    both = [EXPERIMENT, stopped]
    out = next(f"u{n}" for n in range(99) if not EXPERIMENT.includes(f"u{n}"))
    assert assigned(both, out, NOON) is None
    forced = assigned(both, out, NOON, "exp-1:ease")
    assert forced == Assignment("exp-1", 2, "ease", "ease", forced=True)
    assert assigned(both, out, NOON, "old:a:b") == Assignment("old", 1, "a:b", "als", True)
    for unknown in ("exp-1:other", "ease", "exp-1", "", ":"):
        assert assigned(both, out, NOON, unknown) is None


ranges = st.lists(
    st.tuples(st.integers(0, 10_000), st.integers(0, 10_000)).map(sorted).map(tuple), max_size=3
).map(tuple)
experiments = st.builds(
    Experiment,
    st.sampled_from(["e1", "e2", "ü"]),
    st.integers(1, 3),
    ranges,
    st.lists(
        st.builds(Variant, st.sampled_from("abc"), st.sampled_from(["als", "ease"]), ranges),
        min_size=1,
        max_size=3,
    ).map(tuple),
    status=st.sampled_from(["running", "running", "stopped"]),
)


@given(st.lists(experiments, max_size=3), st.text())
def test_assignment_beside_its_definition(published: list[Experiment], user: str) -> None:
    """The sets of all buckets, spelt out."""
    expected = None
    for each in reversed(published):
        arm = dict.fromkeys(range(10_000), each.variants[0])
        for variant in reversed(each.variants):
            arm |= {n: variant for first, end in variant.buckets for n in range(first, end)}
        traffic = {n for first, end in each.traffic for n in range(first, end)}
        if each.status == "running" and bucket(f"{each.id}:traffic", user) in traffic:
            drawn = arm[bucket(f"{each.id}:variant", user)]
            expected = Assignment(each.id, each.phase, drawn.name, drawn.model)
    assert assigned(published, user, NOON) == expected
