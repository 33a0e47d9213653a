"""The verdict on a soak's journal: every breach of what readers and apps are promised."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.soak.journal import Line
from tests.soak.shop import night_of

#: A change is heard of within this time, where Redis has been there throughout.
HEARD_S = 2.0
#: A reader that Redis has failed asks it again so soon after its return.
_ASKED_AGAIN_S = 1.0

#: generation -> the items that it may show, and the number of its night's catalogue
Available = Callable[[int], tuple[frozenset[str], str]]


@dataclass(frozen=True)
class Outages:
    """When Redis was away: (from, until), in order of time and apart from one another."""

    spans: list[tuple[float, float]]

    @classmethod
    def of(cls, lines: list[Line]) -> "Outages":
        """Take the outages from a journal."""
        spans = [(a, b + _ASKED_AGAIN_S) for a, b in _times(lines, "outage")]
        merged: list[tuple[float, float]] = []
        for a, b in sorted(spans):
            if merged and a <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(merged[-1][1], b))
            else:
                merged.append((a, b))
        return cls(merged)

    def heard(self, since: float, until: float) -> bool:
        """Tell whether Redis was there for `HEARD_S` on end between two times."""
        free = since
        for a, b in self.spans[max(0, bisect_right(self.spans, (since,)) - 1) :]:
            if a >= until:
                break
            if b > since:
                if a - free >= HEARD_S:
                    return True
                free = max(free, b)
        return until - free >= HEARD_S

    def away(self, began: float, ended: float) -> bool:
        """Tell whether Redis was away at some time between two."""
        return any(a < ended and began < b for a, b in self.spans)


def breaches(lines: list[Line], available: Available, stored: Counter[str]) -> Iterator[str]:
    """Yield every breach; `stored` counts how often each event id stands in the log."""
    outages = Outages.of(lines)
    answers = [line for line in lines if line["kind"] == "answer"]
    yield from (f"exception: {line['said']}" for line in lines if line["kind"] == "exception")
    yield from mixed(answers, available)
    yield from blocked_items(lines, answers, outages)
    yield from acted_items(lines, answers, outages)
    yield from lost_or_doubled(lines, stored)


def mixed(answers: list[Line], available: Available) -> Iterator[str]:
    """Yield the answers that hold what their generation cannot have shown."""
    for line in answers:
        if not line["items"]:
            continue
        if line["generation"] is None:
            yield f"an answer of no generation: {line}"
            continue
        shown, night = available(line["generation"])
        foreign = [item for item in line["items"] if item not in shown]
        titles = {night_of(title) for title in line["titles"]} - {night}
        if foreign or titles or len(set(line["items"])) < len(line["items"]):
            yield f"mixed, {foreign} {titles}: {line}"


def blocked_items(lines: list[Line], answers: list[Line], outages: Outages) -> Iterator[str]:
    """Yield the answers with an item that had been blocked for `HEARD_S`."""
    freed: dict[str, list[float]] = {}
    for line in lines:
        if line["kind"] == "unblock":
            freed.setdefault(line["item"], []).append(line["at"][0])
    blocks: dict[str, list[tuple[float, float]]] = {}
    for line in lines:
        if line["kind"] == "block":
            since = line["at"][1]
            until = min(
                (at for at in freed.get(line["item"], []) if at > line["at"][0]), default=1e18
            )
            blocks.setdefault(line["item"], []).append((since, until))
    for line in answers:
        began, ended = line["at"]
        for item in line["items"]:
            for since, until in blocks.get(item, []):
                if ended < until and outages.heard(since, began):
                    yield f"{item}, blocked {began - since:.1f} s before: {line}"


def acted_items(lines: list[Line], answers: list[Line], outages: Outages) -> Iterator[str]:
    """Yield the answers with an item that the user had bought.

    The reader that tracked it masks it at once, the others once they are notified; a reader
    that never asked for this user's masks before can't while Redis is away.
    """
    bought: dict[tuple[str, str], list[Line]] = {}
    for line in lines:
        if line["kind"] == "acted" and line["action"] == "purchase":
            bought.setdefault((line["user"], line["item"]), []).append(line)
    for line in answers:
        for item in line["items"]:
            for purchase in bought.get((line["user"], item), []):
                since, (began, ended) = purchase["at"][1], line["at"]
                own = purchase["reader"] == line["reader"] and began >= since
                heard = purchase["recorded"] and outages.heard(since, began)
                if own or (heard and not outages.away(began, ended)):
                    yield f"{item}, bought {began - since:.1f} s before: {line}"


def lost_or_doubled(lines: list[Line], stored: Counter[str]) -> Iterator[str]:
    """Yield the acknowledged events that the log lacks, and those that it holds twice."""
    actions = [line for line in lines if line["kind"] == "acted"]
    for line in actions:
        for event_id in line["event_ids"]:
            if line["recorded"] and not stored[event_id]:
                yield f"event {event_id} was acknowledged and is not in the log: {line}"
    yield from (f"event {each} stands {n} times in the log" for each, n in stored.items() if n > 1)


def figures(lines: list[Line]) -> dict[str, str]:
    """Return what was done and answered, in words."""
    of_kind = Counter(line["kind"] for line in lines)
    jobs = [line for line in lines if line["kind"] == "job"]
    outages = Counter(line["what"] for line in lines if line["kind"] == "outage")
    acts = [line for line in lines if line["kind"] == "operator"]
    done = Counter(line["act"] for line in acts if line["outcome"] == "done")
    actions = [line for line in lines if line["kind"] == "acted"]
    n_ids = sum(len(line["event_ids"]) for line in actions if line["recorded"])
    sources = Counter(
        ":".join(line["source"].split(":")[:2]) for line in lines if line["kind"] == "answer"
    )
    shown = {
        name: f"{sum(line['job'] == name for line in jobs)} runs, "
        f"{sum(line['job'] == name and line['killed'] for line in jobs)} of them killed"
        for name in ("nightly", "refresh", "collect")
    }
    return {
        "answers": f"{of_kind['answer']:,} ({_words(sources)})",
        "events acknowledged": f"{n_ids:,}",
        **shown,
        "Redis": _words(outages),
        "operator": _words(done),
    }


def _times(lines: list[Line], kind: str) -> list[tuple[float, float]]:
    return [(line["at"][0], line["at"][1]) for line in lines if line["kind"] == kind]


def _words(counts: Counter[str]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {n:,}" for name, n in sorted(counts.items()))
