"""The refresh of a served generation: fresh lists and feature rows for whoever acted since.

Who is to be refreshed stands in the queue `waiting` (`tasks/refresh/queue.py`): those whom an app
put there when they acted, those whom the night did not know, and after a flip, a rollback or a
canary everyone who has acted since the night, for what had been refreshed in the generation that
was left is not in this one.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path

from redis import Redis

from tasks.refresh.new_events import Told, open_told
from tasks.refresh.queue import (
    Overtaken,
    hand_over,
    moved,
    put_down,
    put_items,
    queue,
    swept,
    without_list,
)
from tasks.refresh.recompute import relist
from tasks.refresh.served_generation import Served
from tasks.refresh.settings import RefreshSettings
from tasks.runs.run_folder import Progress, no_progress

#: A score and the log's time are one time, but for what floats round.
_SAME_S = 0.001


@dataclass(frozen=True)
class Refreshed:
    """What a run did for one generation.

    - `n_lists`: users who got a fresh list, `n_new` of whom had none before.
    - `n_waiting`: users who still wait: their action is not in the log yet, or there were too many.
    - `oldest_wait_s`: how long ago the longest waiting of those served had acted.
    - `overtaken`: whether readers were sent to another generation meanwhile, which ended the run.
    """

    generation: int
    n_lists: int
    n_new: int
    n_waiting: int
    oldest_wait_s: float
    overtaken: bool


def refresh_lists(
    client: Redis,
    served: Served,
    events_dir: Path,
    settings: RefreshSettings,
    now: datetime,
    *,
    progress: Progress = no_progress,
) -> Refreshed:
    """Serve the users of one generation who wait, in blocks, the longest waiting first."""
    n_lists = n_new = 0
    overtaken = False
    with open_told(served, events_dir, now) as told:
        _sweep(client, served, told)
        asking = queue(client, served, settings.max_users)
        due = _due(told, asking, settings)
        blocks = list(_blocks(due, settings.max_block_users))
        for at, block in enumerate(blocks):
            try:
                fresh = relist(told, block)
                done = hand_over(client, served, fresh, block, settings.user_ttl_s)
            except Overtaken:
                overtaken = True
                break
            put_items(client, served, fresh.items, settings.item_ttl_s)
            n_lists, n_new = n_lists + done.n_lists, n_new + done.n_new
            progress(at + 1, len(blocks))
    oldest = min((asking[user] for user in due), default=now.timestamp())
    left = queue(client, served, settings.max_users)
    return Refreshed(
        generation=served.run.generation,
        n_lists=n_lists,
        n_new=n_new,
        n_waiting=len(left),
        oldest_wait_s=max(0.0, now.timestamp() - oldest),
        overtaken=overtaken,
    )


def _sweep(client: Redis, served: Served, told: Told) -> None:
    """Put into the queue who is not there and should be."""
    strangers = {user: at for user, at in told.strangers().items() if served.serves(user)}
    new = without_list(client, served, strangers)
    put_down(client, served, {user: strangers[user] for user in new})
    if moved(client, served):
        acted = told.acted()
        put_down(client, served, {user: acted[user] for user in acted if served.serves(user)})
        swept(client, served)


def _due(
    told: Told, asking: dict[str, float], settings: RefreshSettings
) -> dict[str, float | None]:
    """Return whom to serve, with the score to take each out of the queue at.

    That is `None` where the log has heard of the user, but not yet of the last action: who acts all
    the time is served all the time. Of whom it has not heard at all there is nothing to serve yet.
    """
    heard = told.heard_until(asking)
    due: dict[str, float | None] = {}
    for user, since in asking.items():
        if abs(told.now.timestamp() - since) > settings.patience_s:
            due[user] = since
        elif user in heard:
            due[user] = since if heard[user] >= since - _SAME_S else None
    return due


def _blocks(due: dict[str, float | None], n: int) -> Iterable[dict[str, float | None]]:
    left = iter(due.items())
    return iter(lambda: dict(islice(left, n)), {})
