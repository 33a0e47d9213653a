"""A process that reads, acts and tells: `python -m tests.soak.reader URL FOLDER NUMBER SECONDS`.

It looks at nothing itself: every answer goes into the journal as it came.
"""

import random
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from nightshelf import ReadSettings, Result, Shelf
from tests.soak.journal import Journal
from tests.soak.shop import NAMESPACE, item_ids, user_ids

THREADS, READS_PER_S = 2, 12
#: Patient beyond a page's 50 ms: what is proven is what answers hold, on a machine that is busy.
DEADLINE_S = 0.25
_N_STRANGERS = 40


class Reader:
    """One thread's calls."""

    def __init__(self, shelf: Shelf, journal: Journal, folder: Path, name: str) -> None:
        self._shelf, self._journal, self._name = shelf, journal, name
        self._choose = random.Random(name)
        self._users = user_ids(folder) + [f"stranger-{at}" for at in range(_N_STRANGERS)]
        self._items = item_ids(folder)

    def once(self) -> None:
        """Make one call of some kind, and note what came of it."""
        call = self._choose.choices(
            [self._get, self._pages, self._many, self._similar, self._popular], [6, 1, 1, 1, 1]
        )[0]
        began = time.monotonic()
        try:
            call()
        except Exception as error:
            said = f"{type(error).__name__}: {error}"
            self._journal.note("exception", began, reader=self._name, said=said)

    def _user(self) -> str:
        return self._choose.choice(self._users)

    def _get(self) -> None:
        user = self._user()
        result = self._ask(user, lambda: self._shelf.get(user, metadata=True))
        if result.items and self._choose.random() < 0.3:
            self._act(user, result)

    def _pages(self) -> None:
        user = self._user()
        first = self._ask(user, lambda: self._shelf.get(user))
        if first.cursor:
            self._ask(user, lambda: self._shelf.get(user, cursor=first.cursor, metadata=True))

    def _many(self) -> None:
        users, began = self._choose.sample(self._users, 4), time.monotonic()
        for user, result in zip(users, self._shelf.get_many(users), strict=True):
            self._note(began, user, result)

    def _similar(self) -> None:
        user, item = self._user(), self._choose.choice(self._items)
        self._ask(user, lambda: self._shelf.similar(item, user=user, metadata=True))

    def _popular(self) -> None:
        user, segment = self._user(), self._choose.choice(["all", "trending", "new"])
        self._ask(user, lambda: self._shelf.popular(segment, user=user, metadata=True))

    def _ask(self, user: str, call: Callable[[], Result]) -> Result:
        began = time.monotonic()
        result = call()
        self._note(began, user, result)
        return result

    def _note(self, began: float, user: str, result: Result) -> None:
        titles = [item.metadata["title"] for item in result.items if item.metadata]
        self._journal.note(
            "answer", began, reader=self._name, user=user, source=result.source,
            generation=result.generation, items=[item.item_id for item in result.items],
            titles=titles,
        )  # fmt: skip

    def _act(self, user: str, result: Result) -> None:
        item = self._choose.choice(result.items).item_id
        action = self._choose.choice(["purchase", "view", "add_to_cart", "shown"])
        began = time.monotonic()
        if action == "shown":
            receipt = self._shelf.shown(user, result)
        else:
            receipt = self._shelf.acted(user, action, item)
        self._journal.note(
            "acted", began, reader=self._name, user=user, item=item, action=action,
            recorded=receipt.recorded, event_ids=list(receipt.event_ids),
        )  # fmt: skip


def main(url: str, folder: Path, number: str, seconds: float) -> None:
    """Read at a constant rate: a read that comes late is made up for."""
    journal = Journal(folder / "journal", f"reader-{number}")
    until = time.monotonic() + seconds
    shelf = Shelf.from_url(url, NAMESPACE, settings=ReadSettings(deadline_s=DEADLINE_S))

    def read(_: int) -> None:
        # All threads of a process are one reader: they share what it was receipt.
        reader, due = Reader(shelf, journal, folder, number), time.monotonic()
        while time.monotonic() < until:
            reader.once()
            due += THREADS / READS_PER_S
            time.sleep(max(0.0, due - time.monotonic()))

    with shelf.listening(), ThreadPoolExecutor(THREADS) as pool:
        for thread in [pool.submit(read, number) for number in range(THREADS)]:
            thread.result()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3], float(sys.argv[4]))
