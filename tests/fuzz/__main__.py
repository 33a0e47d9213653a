"""100,000 requests and calls, and what came of them; ends with 1 where anything was found."""

import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import schemathesis
import typer
from redis import Redis

from tests.conftest import run_valkey
from tests.fuzz.ledger import Ledger
from tests.fuzz.sayings import READS, TELLS
from tests.fuzz.service_calls import CONFIG, Service
from tests.fuzz.shelf_calls import Clients, both
from tests.fuzz.standing import running
from tests.lookup.shelves import publish

#: Drawn at once: Hypothesis remembers all that it has drawn until it is done.
_EXAMPLES, _CALLS = 40, 1_000
#: A finding may hold an id of thousands of characters.
_MAX_SHOWN, _MAX_CHARS = 20, 2_000


def main(
    n: Annotated[int, typer.Option(min=1, help="Requests and calls, at least.")] = 100_000,
    share: Annotated[float, typer.Option(min=0, max=1, help="Of them, requests.")] = 0.2,
    seed: Annotated[int, typer.Option(help="Another number draws other words.")] = 1,
) -> None:
    """Fuzz a service with keys, one without, and both clients, over one Valkey."""
    began = time.perf_counter()
    n_requests = round(share * n)
    numbers, findings = count(seed * 1_000_000), []
    with ExitStack() as stack:
        url = stack.enter_context(contextmanager(run_valkey)())
        client = stack.enter_context(closing(Redis.from_url(url)))
        publish(client, 1)
        ledger = Ledger(client)
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="nightshelf-fuzz-")))
        services = [
            stack.enter_context(running(url, folder / name, ledger, keyed=name == "keyed"))
            for name in ("keyed", "open")
        ]
        shelves = [stack.enter_context(both(url, keeping=keeping)) for keeping in (True, False)]
        for reads_alone, part in ((True, 0.5), (False, 1.0)):
            _ask(services, part * n_requests, numbers, reads_alone=reads_alone)
            _call(shelves, ledger, part * (n - n_requests), numbers, reads_alone=reads_alone)
            findings += ledger.findings()
        _show(services, shelves, ledger)
    made: list[Service | Clients] = [*services, *shelves]
    findings += [f"{at}:\n{what}" for each in made for at, what in each.findings.items()]
    typer.echo(f"{time.perf_counter() - began:,.0f} s; {len(findings)} findings")
    for finding in findings[:_MAX_SHOWN]:
        typer.echo(f"\n{finding[:_MAX_CHARS]}")
    sys.exit(bool(findings))


def _ask(services: list[Service], n: float, numbers: Iterator[int], *, reads_alone: bool) -> None:
    documents = [
        schemathesis.openapi.from_url(f"{each.base_url}/openapi.json", config=CONFIG)
        for each in services
    ]
    while True:
        for service, document in zip(services, documents, strict=True):
            if _done(services) >= n:
                return
            service.fuzz(document, _EXAMPLES, next(numbers), reads_alone=reads_alone)


def _call(
    shelves: list[Clients], ledger: Ledger, n: float, numbers: Iterator[int], *, reads_alone: bool
) -> None:
    while True:
        for shelf in shelves:
            if _done(shelves) >= n:
                return
            shelf.fuzz(READS if reads_alone else READS | TELLS, ledger, _CALLS, next(numbers))


def _done(all_of: Iterable[Service | Clients]) -> int:
    return sum(each.outcomes.total() for each in all_of)


def _show(services: list[Service], shelves: list[Clients], ledger: Ledger) -> None:
    for title, some in (("requests", services), ("calls", shelves)):
        outcomes = sum((each.outcomes for each in some), Counter[tuple[str, str]]())
        typer.echo(f"{outcomes.total():,} {title}: {_words(outcomes)}")
        for name in sorted({name for name, _ in outcomes}):
            own = Counter({pair: n for pair, n in outcomes.items() if pair[0] == name})
            typer.echo(f"  {name}: {_words(own)}")
    typer.echo(ledger.words())


def _words(outcomes: Counter[tuple[str, str]]) -> str:
    sums: Counter[str] = Counter()
    for pair, n in outcomes.items():
        sums[pair[1]] += n
    return ", ".join(f"{name} {n:,}" for name, n in sorted(sums.items()))


if __name__ == "__main__":
    typer.run(main)
