"""Refresh a served generation: recompute lists and feature rows of users who acted since the night.

The refresh queue (`tasks/refresh/queue.py`) holds users whom an app added when they acted and users
unknown to the night. After a flip, a rollback or a canary it holds all users who acted since the
night, because lists refreshed in the generation before are not in this one.
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from redis import Redis

from nightshelf.admin.batches import batched
from tasks.refresh.new_events import TrackedEvents, open_tracked
from tasks.refresh.queue import enqueue, needs_sweep, note_sweep, queued_users, without_list
from tasks.refresh.recompute import recompute
from tasks.refresh.served_generation import ServedGeneration
from tasks.refresh.settings import RefreshSettings
from tasks.refresh.write_users import Overtaken, write_items, write_users
from tasks.runs.run_folder import Progress, no_progress

#: A score and the log's time are one time, but for what floats round.
_SAME_S = 0.001


@dataclass(frozen=True)
class Refreshed:
    """Outcome of a run for one generation.

    - `n_lists`: users who got a recomputed list, `n_new` of whom had none before.
    - `n_queued`: users still queued: their action is not in the log yet, or there were too many.
    - `oldest_wait_s`: the longest time between a served user's action and now.
    - `overtaken`: whether readers were sent to another generation meanwhile, which ended the run.
    """

    generation: int
    n_lists: int
    n_new: int
    n_queued: int
    oldest_wait_s: float
    overtaken: bool


def refresh_lists(
    client: Redis,
    served: ServedGeneration,
    events_dir: Path,
    settings: RefreshSettings,
    now: datetime,
    *,
    progress: Progress = no_progress,
) -> Refreshed:
    """Refresh the queued users of one generation, in blocks, the longest queued first."""
    n_lists = n_new = 0
    overtaken = False
    with open_tracked(served, events_dir, now) as tracked:
        _sweep(client, served, tracked)
        asking = queued_users(client, served, settings.max_users)
        due = _due(tracked, asking, settings)
        blocks = list(batched(due, settings.max_block_users))
        for at, block in enumerate(blocks):
            try:
                made = recompute(tracked, block)
                some = {user: due[user] for user in block}
                done = write_users(client, served, made, some, settings.user_ttl_s)
            except Overtaken:
                overtaken = True
                break
            write_items(client, served, made.items, settings.item_ttl_s)
            n_lists, n_new = n_lists + done.n_lists, n_new + done.n_new
            progress(at + 1, len(blocks))
    oldest = min((asking[user] for user in due), default=now.timestamp())
    left = queued_users(client, served, settings.max_users)
    return Refreshed(
        generation=served.run.generation,
        n_lists=n_lists,
        n_new=n_new,
        n_queued=len(left),
        oldest_wait_s=max(0.0, now.timestamp() - oldest),
        overtaken=overtaken,
    )


def _sweep(client: Redis, served: ServedGeneration, tracked: TrackedEvents) -> None:
    """Queue users unknown to the night, and after a move all users who acted since the night."""
    strangers = {user: at for user, at in tracked.strangers().items() if served.serves(user)}
    new = without_list(client, served, strangers)
    enqueue(client, served, {user: strangers[user] for user in new})
    if needs_sweep(client, served):
        acted = tracked.acted()
        enqueue(client, served, {user: acted[user] for user in acted if served.serves(user)})
        note_sweep(client, served)


def _due(
    tracked: TrackedEvents, asking: dict[str, float], settings: RefreshSettings
) -> dict[str, float | None]:
    """Return the users to refresh, each with the score to leave the queue at.

    It is `None` where the log has events of the user, but not yet the last one: a user who acts all
    the time is refreshed all the time. Users without any event in the log stay queued.
    """
    collected = tracked.collected_until(asking)
    due: dict[str, float | None] = {}
    for user, since in asking.items():
        if abs(tracked.now.timestamp() - since) > settings.patience_s:
            due[user] = since
        elif user in collected:
            due[user] = since if collected[user] >= since - _SAME_S else None
    return due
