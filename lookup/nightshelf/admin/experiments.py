"""Experiments of a namespace: those that a night brings, and the stop of one by an operator.

They stand in the live manifest, and stay there when the pointer moves to a generation that was live
before (docs/decisions/0047-assignment.md).
"""

from collections.abc import Sequence
from dataclasses import replace

from redis import Redis

from nightshelf.admin.namespace_state import NamespaceState, Rule, change
from nightshelf.contract.experiment import STOPPED, Experiment
from nightshelf.errors import TransitionRefused


def following(live: Sequence[Experiment], staged: Sequence[Experiment]) -> tuple[Experiment, ...]:
    """Return the experiments of a new night; those stopped in this phase stay stopped."""
    stopped = {(each.id, each.phase) for each in live if each.status == STOPPED}
    return tuple(
        replace(each, status=STOPPED) if (each.id, each.phase) in stopped else each
        for each in staged
    )


def stop(client: Redis, namespace: str, experiment: str) -> Experiment:
    """Stop an experiment for every reader, until its next phase; return it.

    Its users get the default model within a second or two. One that is stopped stays so. Raises
    `TransitionRefused` (`nothing-live`, `unknown`, `contended`).
    """
    return published(change(client, namespace, stopping(experiment)), experiment)


def stopping(experiment: str) -> Rule:
    """Return the rule of `stop`."""

    def rule(state: NamespaceState) -> NamespaceState:
        stopped = replace(published(state, experiment), status=STOPPED)
        assert state.live is not None, "an experiment is published in a live manifest"
        experiments = tuple(
            stopped if each.id == experiment else each for each in state.live.experiments
        )
        return state.altered(state.live.generation, experiments=experiments)

    return rule


def published(state: NamespaceState, experiment: str) -> Experiment:
    """Return an experiment of the live manifest; `TransitionRefused` where it has none such."""
    if state.live is None:
        raise TransitionRefused("nothing-live", f"nothing is live in {state.namespace}")
    for each in state.live.experiments:
        if each.id == experiment:
            return each
    known = ", ".join(each.id for each in state.live.experiments) or "none"
    raise TransitionRefused("unknown", f"no experiment {experiment!r}; published: {known}")
