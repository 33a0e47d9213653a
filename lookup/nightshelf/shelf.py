"""Reading lists: `Shelf`, as plain as `dict.get`.

>>> from nightshelf import Shelf
>>> shelf = Shelf.from_url("redis://127.0.0.1:1/0", "shop")  # nobody listens on port 1
>>> shelf.get("u42").source
'none'
"""

import json
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from redis import Redis

from nightshelf.answers import Result, Status, age_s, answer, as_live
from nightshelf.connection import FAILURES, address, connect, server_version
from nightshelf.contract import POINTER_CACHE_S, Keys, in_canary
from nightshelf.errors import CorruptValue, InvalidKey
from nightshelf.generations import current, listing, pinned
from nightshelf.values import Manifest, RankedList

T = TypeVar("T")
#: An answer found: what was asked for, where it was found, the list, and its generation.
Found = tuple[str, str, RankedList, Manifest]


@dataclass(frozen=True)
class Seen:
    """What a reader knows of the shelf for a second: what is live, and what is withdrawn."""

    live: Manifest | None = None
    blocked: frozenset[str] = frozenset()


class Shelf:
    """The lists of one namespace. `InvalidKey` where the namespace is none.

    Reads never raise for a Redis that fails them: they answer from the next rung of own list,
    segment's popular list, everyone's, last good copy, nothing. One answer is of one generation,
    and none holds an item that was blocked a second ago.

    Threads may share a shelf: the client's pool is thread-safe, and the two things kept between
    calls (what was seen, the last good copy) are immutable values replaced whole, without locks;
    threads that refresh at once each read Redis and either's value serves.
    """

    def __init__(
        self, client: Redis, namespace: str, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        self._keys = Keys(namespace)
        self._clock = clock
        self._seen: tuple[float, Seen] = (-math.inf, Seen())
        self._last_good: tuple[Manifest, RankedList] | None = None

    @classmethod
    def from_url(cls, url: str, namespace: str) -> "Shelf":
        """Open a shelf for a read path: 50 ms timeouts and no retries; see `connect`."""
        return cls(connect(url), namespace)

    def __repr__(self) -> str:
        return f"Shelf({address(self._client)}, {self._keys.namespace!r})"

    def get(self, user: str, n: int = 10) -> Result:
        """Return up to `n` items for a user, known or not; `ValueError` where `n` is under 1."""
        return self.get_many([user], n)[0]

    def get_many(self, users: Sequence[str], n: int = 10) -> list[Result]:
        """Return what `get` returns for each.

        One MGET reads the lists; only where some have none, one more reads those users' segments
        and one the popular lists.
        """
        return self._answer(users, n, self._personal)

    def similar(self, item: str, n: int = 10) -> Result:
        """Return up to `n` items like this one, or what everyone likes."""
        return self._answer([item], n, self._alike)[0]

    def popular(self, segment: str = "all", n: int = 10) -> Result:
        """Return up to `n` items of a segment (`nightshelf.contract`), or what everyone likes."""
        return self._answer([segment], n, self._in_segment)[0]

    def item_features(self, ids: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Return the feature rows of items by id, leaving out those that Redis does not give."""
        with suppress(*FAILURES):
            if live := self._look().live:
                return self._fetch(ids, partial(self._keys.item, live.generation), _row)
        return {}

    def status(self) -> Status:
        """Ask Redis afresh what is live; failures are told in `error`, not raised."""
        try:
            live = current(self._client, self._keys.namespace)
            known = listing(self._client, self._keys.namespace)
            held = pinned(self._client, self._keys.namespace)
            n_blocked = self._client.scard(self._keys.blocked)
            server = server_version(self._client)
        except CorruptValue as error:
            return Status(reachable=True, error=str(error))
        except FAILURES as error:
            return Status(reachable=False, error=str(error) or type(error).__name__)
        states = {manifest.generation: manifest.state for manifest in known}
        out = live.canary.generation if live and live.canary else None
        canary = next((each for each in known if each.generation == out), None)
        age = age_s(live) if live else None
        return Status(True, live, age, states, server, held, canary, int(n_blocked))

    def _answer(
        self,
        asked: Sequence[str],
        n: int,
        ladder: Callable[[Manifest, Sequence[str]], Iterator[Found]],
    ) -> list[Result]:
        """Climb down the ladder as far as Redis answers; the last good copy serves the rest."""
        if n < 1:
            raise ValueError(f"n must be at least 1, not {n}")
        found: dict[str, Result] = {}
        with suppress(*FAILURES):
            if live := self._look().live:
                for name, source, ranked, of in ladder(live, asked):
                    found[name] = answer(ranked, n, source, of)
        missing = self._missing(n)
        return [found.get(name, missing) for name in asked]

    def _missing(self, n: int) -> Result:
        """Answer from the last good copy, which may be older than what is blocked by now."""
        if not self._last_good:
            return Result((), "none")
        live, ranked = self._last_good
        left = ranked.without(self._seen[1].blocked)
        return answer(left, n, "last-good", live) if left.items else Result((), "none")

    def _personal(self, live: Manifest, users: Sequence[str]) -> Iterator[Found]:
        chosen: dict[str, None] = {}
        if out := live.canary:
            drawn = [user for user in users if in_canary(user, out.generation, out.share)]
            for found in self._of_one(as_live(live, out), drawn):
                chosen[found[0]] = None
                yield found
        yield from self._of_one(live, [user for user in users if user not in chosen])

    def _of_one(self, live: Manifest, users: Sequence[str]) -> Iterator[Found]:
        """Find lists of one generation alone."""
        at = live.generation
        own = self._lists(users, partial(self._keys.list, at, live.default_model))
        yield from ((user, "list", ranked, live) for user, ranked in own.items())
        strangers = [user for user in dict.fromkeys(users) if user not in own]
        if not strangers:
            return
        rows = self._fetch(strangers, partial(self._keys.user, at), _row)
        segments = {user: rows.get(user, {}).get("segment") for user in strangers}
        wanted = {user: f"segment:{name}" if name else "all" for user, name in segments.items()}
        yield from self._popular(live, wanted)

    def _alike(self, live: Manifest, items: Sequence[str]) -> Iterator[Found]:
        lists = self._lists(items, partial(self._keys.similar, live.generation))
        yield from ((item, "similar", ranked, live) for item, ranked in lists.items())
        if not lists:
            yield from self._popular(live, dict.fromkeys(items, "all"))

    def _in_segment(self, live: Manifest, segments: Sequence[str]) -> Iterator[Found]:
        return self._popular(live, {segment: segment for segment in segments})

    def _popular(self, live: Manifest, wanted: Mapping[str, str]) -> Iterator[Found]:
        """Find for each name its wanted segment's list, or else everyone's."""
        segments = [*wanted.values(), "all"]
        lists = self._lists(segments, partial(self._keys.popular, live.generation))
        for name, segment in wanted.items():
            nearest = segment if segment in lists else "all"
            if nearest in lists:
                yield name, f"popular:{nearest}", lists[nearest], live

    def _look(self) -> Seen:
        """Return what is live and what is blocked, as of at most `POINTER_CACHE_S` ago."""
        asked_at = self._clock()
        seen_at, seen = self._seen
        if asked_at - seen_at < POINTER_CACHE_S:
            return seen
        with self._client.pipeline(transaction=False) as pipe:
            pipe.get(self._keys.current)
            pipe.smembers(self._keys.blocked)
            pointer, blocked = pipe.execute(raise_on_error=False)
        if isinstance(pointer, Exception):
            raise pointer
        live = None
        if pointer:
            with suppress(CorruptValue):
                live = Manifest.from_json(pointer)
        # What cannot be read takes no list away: the blocked set that was read last holds on.
        failed = isinstance(blocked, Exception)
        seen = Seen(live, seen.blocked if failed else frozenset(map(_item, blocked)))
        self._seen = (asked_at, seen)
        if live and not (self._last_good and self._last_good[0] == live):
            # Kept whole: what is blocked today may be shown again before the next generation.
            key = partial(self._keys.popular, live.generation)
            everyone = self._fetch(["all"], key, RankedList.from_json).get("all")
            if everyone and everyone.items:
                self._last_good = (live, everyone)
        return seen

    def _lists(self, names: Iterable[str], key: Callable[[str], str]) -> dict[str, RankedList]:
        """Read the lists, less what is blocked; one of which nothing is left counts as absent."""
        lists = self._fetch(names, key, RankedList.from_json)
        if blocked := self._seen[1].blocked:
            lists = {name: ranked.without(blocked) for name, ranked in lists.items()}
        return {name: ranked for name, ranked in lists.items() if ranked.items}

    def _fetch(
        self, names: Iterable[str], key: Callable[[str], str], decode: Callable[[Any], T]
    ) -> dict[str, T]:
        """Read one value a name with one MGET; what is absent, corrupt or no id is left out."""
        keys = {}
        for name in names:
            with suppress(InvalidKey):
                keys[name] = key(name)
        values = self._client.mget(list(keys.values())) if keys else []
        decoded = {}
        for name, value in zip(keys, values, strict=True):
            with suppress(CorruptValue):
                if value is not None:
                    decoded[name] = decode(value)
        return decoded


def _item(member: bytes | str) -> str:
    # A member that is no UTF-8 is no item's id, and masks none.
    return member if isinstance(member, str) else member.decode(errors="replace")


def _row(value: bytes) -> dict[str, Any]:
    try:
        row = json.loads(value)
    except (ValueError, RecursionError) as error:
        raise CorruptValue(f"not a feature row: {value[:80]!r}") from error
    if not isinstance(row, dict):
        raise CorruptValue(f"not a feature row: {value[:80]!r}")
    return row
