"""A generation with lists for many users, spread over all nodes, and readers that check answers."""

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from redis import Redis

from nightshelf.admin.generations import flip
from nightshelf.contract.keys import Keys
from nightshelf.contract.values import Manifest
from tests.lookup.shelves import SHOP, TTL_S, ranked, staged

USERS = [f"user-{n}" for n in range(60)]
KEYS = Keys(SHOP)
DEADLINE_S = 0.05
#: Time that a busy machine may add to a deadline.
ROOM_S = 0.4


def publish_all(client: Redis) -> Manifest:
    """Write, stage and flip a generation in which all of `USERS` have a list of its items."""
    number = staged(client)
    for user in USERS:
        items = [f"{letter}{number}" for letter in "ABC"]
        client.set(KEYS.list(number, "als", user), ranked(*items).to_json(), ex=TTL_S)
    return flip(client, SHOP, number)


@dataclass
class Reads:
    """Answers by source and user, and the longest that one took."""

    sources: Counter[str] = field(default_factory=Counter)
    longest_s: float = 0.0
    waits_s: list[float] = field(default_factory=list)
    generations: set[int] = field(default_factory=set)

    def get(self, shelf: Any, user: str) -> Any:
        """Read a list; fails if items are of two generations, or the answer is late."""
        began = time.monotonic()
        result = shelf.get(user)
        took_s = time.monotonic() - began
        self.waits_s.append(took_s)
        assert took_s < DEADLINE_S + ROOM_S, (user, result, took_s)
        of = {int(item.item_id[1:]) for item in result.items}
        assert of <= {result.generation}, result  # the first read of a busy machine may be late
        self.sources[result.source.partition(":")[0]] += 1
        self.generations.add(result.generation)
        return result

    @property
    def median_s(self) -> float:
        return sorted(self.waits_s)[len(self.waits_s) // 2]
