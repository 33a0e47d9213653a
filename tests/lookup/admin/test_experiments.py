"""Experiments belong to the namespace: moves of the pointer keep them, a new night brings its own.

What must hold through random sequences of nights, moves and stops: a user has one variant
throughout a phase, and a stopped phase never runs again.
"""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis.stateful import invariant, precondition, rule, run_state_machine_as_test
from redis import Redis
from redis.exceptions import OutOfMemoryError

from nightshelf import Shelf
from nightshelf.admin.canary import release
from nightshelf.admin.experiments import stop
from nightshelf.admin.generations import flip
from nightshelf.admin.lifecycle import pin, promote, rollback
from nightshelf.admin.retention import extend
from nightshelf.contract.experiment import Experiment, Variant
from tests.lookup.admin.test_history import History
from tests.lookup.conftest import Sleeper
from tests.lookup.experiments import HALVES, live_experiments
from tests.lookup.shelves import SHOP, UNKEPT, assert_consistent, publish, refusal, staged, states

NEXT = replace(HALVES, phase=3, traffic=((0, 10_000),))
STOPPED = replace(HALVES, status="stopped")


@pytest.fixture
def shop(redis_client: Redis) -> Redis:
    """Generation 1 without experiments, 2 with one, 3 with its next phase live, 4 staged."""
    publish(redis_client)
    publish(redis_client, experiments=(HALVES,))
    publish(redis_client, experiments=(NEXT,))
    staged(redis_client, experiments=())
    return redis_client


MOVES: list[Callable[[Redis], object]] = [
    lambda client: rollback(client, SHOP),
    lambda client: rollback(client, SHOP, to=1),
    lambda client: rollback(client, SHOP, mark_bad=True),
    lambda client: pin(client, SHOP, 2),
    lambda client: (rollback(client, SHOP, to=1), promote(client, SHOP, 2)),
    lambda client: (rollback(client, SHOP), promote(client, SHOP, 3)),
    lambda client: release(client, SHOP, 4, 100),
    lambda client: (release(client, SHOP, 2, 5), rollback(client, SHOP)),  # type: ignore[func-returns-value]
    lambda client: extend(client, SHOP),
]


@pytest.mark.parametrize("move", MOVES)
def test_moves_between_generations_keep_them(shop: Redis, move: Callable[[Redis], object]) -> None:
    move(shop)
    assert live_experiments(shop) == (NEXT,)
    assert_consistent(shop)


def test_a_new_night_brings_its_own(shop: Redis) -> None:
    flip(shop, SHOP, 4)
    assert live_experiments(shop) == ()
    publish(shop, experiments=(HALVES, NEXT))
    assert live_experiments(shop) == (HALVES, NEXT)


def test_a_night_that_a_newer_one_has_overtaken_does_not(shop: Redis) -> None:
    publish(shop, experiments=(HALVES,))
    assert states(shop)[5] == "live"
    promote(shop, SHOP, 4, force=True)
    assert live_experiments(shop) == (HALVES,)


def test_what_was_stopped_stays_so_until_its_next_phase(shop: Redis) -> None:
    publish(shop, experiments=(HALVES, replace(HALVES, id="other")))
    assert stop(shop, SHOP, "exp-1") == STOPPED
    assert stop(shop, SHOP, "exp-1") == STOPPED
    assert_consistent(shop)
    other = replace(HALVES, id="other")
    assert live_experiments(shop) == (STOPPED, other)
    publish(shop, experiments=(HALVES, other))
    assert live_experiments(shop) == (STOPPED, other)
    rollback(shop, SHOP)
    publish(shop, experiments=(NEXT,))
    assert live_experiments(shop) == (NEXT,)


def test_its_users_are_served_the_default_model_within_a_second(redis_client: Redis) -> None:
    everyone = replace(HALVES, traffic=((0, 10_000),))
    publish(redis_client, experiments=(everyone,))
    assert Shelf(redis_client, SHOP).get("ann").experiment == "exp-1"
    stop(redis_client, SHOP, "exp-1")
    assert Shelf(redis_client, SHOP).get("ann").experiment is None


def test_stops_that_are_refused(redis_client: Redis) -> None:
    assert refusal(lambda: stop(redis_client, SHOP, "exp-1")) == "nothing-live"
    publish(redis_client, experiments=(HALVES,))
    assert refusal(lambda: stop(redis_client, SHOP, "exp-2")) == "unknown"


def test_a_night_that_lands_meanwhile_is_stopped_too(shop: Redis, sleeper: Sleeper) -> None:
    sleeper.others = lambda: publish(shop, experiments=(NEXT,))
    assert stop(sleeper, SHOP, "exp-1").status == "stopped"
    assert states(shop)[5] == "live"
    assert live_experiments(shop) == (replace(NEXT, status="stopped"),)
    publish(shop, experiments=(replace(NEXT, phase=4),))
    late = staged(shop, experiments=(replace(NEXT, phase=4),))
    sleeper.others = lambda: stop(shop, SHOP, "exp-1")
    flip(sleeper, SHOP, late)
    assert [each.status for each in live_experiments(shop)] == ["stopped"]


def test_a_full_redis_can_be_stopped(own_redis_client: Redis) -> None:
    client = own_redis_client
    publish(client, experiments=(HALVES,))
    client.config_set("maxmemory-policy", "noeviction")
    client.config_set("maxmemory", "1")
    with pytest.raises(OutOfMemoryError):
        client.set("any", "thing")
    assert stop(client, SHOP, "exp-1").status == "stopped"
    assert live_experiments(client) == (STOPPED,)


#: Some in each variant of each phase, and some out of the experiment.
USERS = [f"u{number}" for number in range(16)]


def phase_of(number: int) -> Experiment:
    """Return a phase; each has other buckets than the one before."""
    cut = 1_000 * (number % 5 + 3)
    variants = (Variant("now", "als", ((0, cut),)), Variant("links", "ease", ((cut, 10_000),)))
    return Experiment("exp-1", number, ((0, 6_000),), variants)


class Phases(History):
    """The highest generation that a publisher made live decides the phase, and stops the rest."""

    def __init__(self) -> None:
        super().__init__()
        self.phase = 1
        self.staged_in: dict[int, int] = {}
        self.stopped: set[int] = set()
        self.seen: dict[tuple[int, str], str | None] = {}

    @rule()
    def stage(self) -> None:
        number = staged(self.client, experiments=(phase_of(self.phase),))
        self.waiting.add(number)
        self.staged_in[number] = self.phase

    @precondition(lambda self: len(self.waiting) > 0)
    @rule()
    def night(self) -> None:
        """Flip the newest, as nights mostly do."""
        self.stage()
        newest = max(self.waiting)
        if not self.held:
            flip(self.client, SHOP, newest)
            self.go_forward(newest)

    @rule()
    def next_phase(self) -> None:
        self.phase += 1

    @precondition(lambda self: self.live)
    @rule()
    def stop(self) -> None:
        stop(self.client, SHOP, "exp-1")
        self.stopped.add(self.staged_in[self.highest])

    @invariant()
    def one_variant_throughout_a_phase(self) -> None:
        if not self.live:
            return
        expected = phase_of(self.staged_in[self.highest])
        stopped = expected.phase in self.stopped
        (found,) = live_experiments(self.client)
        assert found == (replace(expected, status="stopped") if stopped else expected)
        results = Shelf(self.client, SHOP, settings=UNKEPT).get_many(USERS)
        for user, result in zip(USERS, results, strict=True):
            assert result.phase == (None if stopped else result.experiment and expected.phase)
            if not stopped:
                first = self.seen.setdefault((expected.phase, user), result.variant)
                assert result.variant == first
        if not stopped:
            assert {result.variant for result in results} == {None, "now", "links"}


def test_a_user_has_one_variant_throughout_a_phase(redis_client: Redis) -> None:
    Phases.client = redis_client
    run_state_machine_as_test(Phases, settings=settings(max_examples=40, stateful_step_count=25))
