"""Any history of nights and operators leaves the states that a plain model of it says."""

from typing import ClassVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from redis import Redis

from nightshelf.admin.canary import release
from nightshelf.admin.generations import flip, pinned
from nightshelf.admin.lifecycle import mark_bad, pin, promote, rollback, unpin
from tests.lookup.shelves import SHOP, assert_consistent, canary, live, refusal, staged, states


class History(RuleBasedStateMachine):
    """The generations that were live, in order, and how each was left decide every state."""

    client: ClassVar[Redis]

    def __init__(self) -> None:
        super().__init__()
        self.client.flushdb()
        self.waiting: set[int] = set()
        self.bad: set[int] = set()
        self.been_live: list[int] = []
        self.highest = 0
        self.held = False
        self.previous: int | None = None
        self.canary: int | None = None

    @property
    def live(self) -> int | None:
        return self.been_live[-1] if self.been_live else None

    @property
    def known(self) -> list[int]:
        return sorted(self.waiting | self.bad | set(self.been_live))

    def go_forward(self, number: int) -> None:
        self.previous, self.canary = self.live, None
        self.been_live.append(number)
        self.waiting.discard(number)
        self.highest = max(self.highest, number)

    def go_back(self, number: int) -> None:
        if number != self.live:
            self.been_live.append(number)
            self.previous = self.canary = None

    def give_up(self, number: int) -> None:
        self.waiting.discard(number)
        self.bad.add(number)
        if self.canary == number:
            self.canary = None

    def why_not_forward(self, number: int, *, force: bool = False) -> str | None:
        if number in self.bad:
            return "bad"
        if number not in self.waiting:
            return "not-staged"
        if number < self.highest and not force:
            return "fenced"
        return "pinned" if self.held and not force else None

    def why_not_promoted(self, number: int, *, force: bool) -> str | None:
        if number in self.bad or number in self.waiting:
            return self.why_not_forward(number, force=force)
        if force:
            return None
        if number < (self.live or 0):
            return "superseded"
        return "pinned" if self.held else None

    def why_not_back(self, number: int) -> str | None:
        if number in self.bad:
            return "bad"
        return "not-staged" if number in self.waiting else None

    @rule()
    def stage(self) -> None:
        self.waiting.add(staged(self.client))

    @precondition(lambda self: self.known)
    @rule(data=st.data())
    def flip(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(self.known))
        if number == self.live:
            assert flip(self.client, SHOP, number).state == "live"
        elif reason := self.why_not_forward(number):
            assert refusal(lambda: flip(self.client, SHOP, number)) == reason
        else:
            assert flip(self.client, SHOP, number).generation == number
            self.go_forward(number)

    @precondition(lambda self: self.known)
    @rule(data=st.data(), force=st.booleans())
    def promote(self, data: st.DataObject, force: bool) -> None:
        number = data.draw(st.sampled_from(self.known))
        if number == self.live:
            assert promote(self.client, SHOP, number, force=force).state == "live"
        elif reason := self.why_not_promoted(number, force=force):
            assert refusal(lambda: promote(self.client, SHOP, number, force=force)) == reason
        else:
            assert promote(self.client, SHOP, number, force=force).generation == number
            self.go_forward(number)

    @precondition(lambda self: self.known)
    @rule(data=st.data(), share=st.sampled_from([0.5, 5, 100]))
    def release(self, data: st.DataObject, share: float) -> None:
        number = data.draw(st.sampled_from(self.known))
        if self.live is None or number in self.bad or number == self.live:
            why = "bad" if number in self.bad else "not-staged"
            reason = why if self.live else "nothing-live"
            assert refusal(lambda: release(self.client, SHOP, number, share)) == reason
        else:
            release(self.client, SHOP, number, share)
            self.canary = number

    @rule(bad=st.booleans())
    def back(self, bad: bool) -> None:
        if self.canary:
            left = self.canary
            assert rollback(self.client, SHOP, mark_bad=bad).generation == self.live
            self.canary = None
            if bad:
                self.give_up(left)
            return
        older = {number for number in self.been_live if number < (self.live or 0)} - self.bad
        if not older:
            assert refusal(lambda: rollback(self.client, SHOP, mark_bad=bad)) == "nothing-older"
            return
        left_live = self.live
        assert rollback(self.client, SHOP, mark_bad=bad).generation == max(older)
        self.go_back(max(older))
        if bad and left_live:
            self.bad.add(left_live)

    @precondition(lambda self: self.known)
    @rule(data=st.data())
    def back_to(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(self.known))
        if reason := self.why_not_back(number):
            assert refusal(lambda: rollback(self.client, SHOP, to=number)) == reason
        else:
            assert rollback(self.client, SHOP, to=number).generation == number
            self.go_back(number)

    @precondition(lambda self: self.known)
    @rule(data=st.data())
    def pin(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(self.known))
        if reason := self.why_not_back(number):
            assert refusal(lambda: pin(self.client, SHOP, number)) == reason
        else:
            assert pin(self.client, SHOP, number).generation == number
            self.go_back(number)
            self.held = True

    @rule()
    def unpin(self) -> None:
        unpin(self.client, SHOP)
        self.held = False

    @precondition(lambda self: self.known)
    @rule(data=st.data())
    def mark_bad(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(self.known))
        if number == self.live:
            assert refusal(lambda: mark_bad(self.client, SHOP, number)) == "live"
            return
        mark_bad(self.client, SHOP, number)
        self.give_up(number)

    @invariant()
    def agrees(self) -> None:
        expected = dict.fromkeys(self.waiting, "staged")
        expected |= dict.fromkeys(self.been_live, "replaced")
        if self.previous is not None:
            expected[self.previous] = "previous"
        expected |= dict.fromkeys(self.bad, "bad")
        if self.live is not None:
            expected[self.live] = "live"
        assert states(self.client) == expected
        assert live(self.client) == self.live
        assert canary(self.client) == self.canary
        assert pinned(self.client, SHOP) == (self.live if self.held else None)
        assert_consistent(self.client)


def test_any_history_leaves_the_states_that_it_should(redis_client: Redis) -> None:
    History.client = redis_client
    run_state_machine_as_test(History, settings=settings(max_examples=100, stateful_step_count=25))
