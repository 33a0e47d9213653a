"""Readers that never rest, and look at every answer: is it wholly one generation's?"""

import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field

from nightshelf import Shelf
from nightshelf.client.transport.connection import connect
from tests.faults.nights import SHOP, items_of, user
from tests.lookup.shelves import UNKEPT

_N_USERS_AT_ONCE = 4
_THREADS = 4


@dataclass
class Answers:
    """The answers to one thread; `seen` are their generations in order."""

    n_answers: int = 0
    missed: list[str] = field(default_factory=list)
    mixed: list[str] = field(default_factory=list)
    seen: list[int] = field(default_factory=list)


@dataclass
class Readers:
    """Threads, each with a pointer cache of its own."""

    by_thread: list[Answers]
    started: float = field(default_factory=time.monotonic)

    @property
    def per_s(self) -> float:
        """Reads a second."""
        return self.n_answers / (time.monotonic() - self.started)

    @property
    def n_answers(self) -> int:
        return sum(answers.n_answers for answers in self.by_thread)

    @property
    def missed(self) -> list[str]:
        return [each for answers in self.by_thread for each in answers.missed]

    @property
    def mixed(self) -> list[str]:
        return [each for answers in self.by_thread for each in answers.mixed]

    @property
    def seen(self) -> set[int]:
        return {generation for answers in self.by_thread for generation in answers.seen}

    def all_at(self, generation: int) -> bool:
        """Tell whether the latest answer of every thread is of this generation."""
        assert not self.mixed, self.mixed[:3]
        return all(answers.seen[-1:] == [generation] for answers in self.by_thread)


@contextmanager
def reading(url: str, n_users: int, per_s: int) -> Iterator[Readers]:
    """Read `per_s` times a second, at a constant rate: late reads are made up for.

    Each read asks for a few users' whole lists at once. Timeouts are long: what is proven is what
    the lists hold, on however busy a machine.
    """
    readers = Readers([Answers() for _ in range(_THREADS)])
    done = threading.Event()

    def read(number: int) -> None:
        choose = random.Random(number)
        with closing(connect(url, timeout_s=30)) as client:
            shelf = Shelf(client, SHOP, settings=UNKEPT)
            due = time.monotonic()
            while not done.is_set():
                someone = choose.sample(range(n_users), _N_USERS_AT_ONCE)
                _look(shelf, someone, n_users, readers.by_thread[number])
                due += _THREADS / per_s
                time.sleep(max(0.0, due - time.monotonic()))

    with ThreadPoolExecutor(_THREADS) as pool:
        threads = [pool.submit(read, number) for number in range(_THREADS)]
        try:
            yield readers
        finally:
            done.set()
        for thread in threads:
            thread.result()


def _look(shelf: Shelf, someone: list[int], n_users: int, answers: Answers) -> None:
    results = shelf.get_many([user(at) for at in someone])
    first = results[0].generation
    for at, result in zip(someone, results, strict=True):
        items = [item.item_id for item in result.items]
        if result.source != "list" or result.generation is None:
            answers.missed.append(f"{user(at)}: {result.source}")
        elif result.generation != first or items != items_of(result.generation, at, n_users):
            answers.mixed.append(f"{user(at)} of {result.generation}, beside {first}: {items}")
        elif answers.seen[-1:] != [result.generation]:
            answers.seen.append(result.generation)
    answers.n_answers += 1
