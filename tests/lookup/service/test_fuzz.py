"""Some hundreds of the requests and calls of `tests.fuzz`, the service called without a server."""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from pydantic import SecretStr
from redis import Redis
from schemathesis.python import asgi

from nightshelf.service import ApiKey, ServiceSettings, create_app
from tests.fuzz.ledger import KEYS, Ledger
from tests.fuzz.sayings import READS, TELLS
from tests.fuzz.service_calls import API_KEYS, CONFIG, Service
from tests.fuzz.shelf_calls import both
from tests.lookup.service.event_log import LoggedEvent, write
from tests.lookup.shelves import SHOP, publish


@pytest.fixture
def ledger(redis_client: Redis) -> Ledger:
    publish(redis_client, 1)
    return Ledger(redis_client)


@pytest.fixture
def settings(redis_url: str, tmp_path: Path) -> ServiceSettings:
    write(tmp_path, [LoggedEvent("e1")])
    keys = {
        name: ApiKey.model_validate({"sha256": sha256(name.encode()).hexdigest(), "scopes": scopes})
        for name, scopes in API_KEYS.items()
    }
    url = SecretStr(redis_url)
    return ServiceSettings(
        redis_url=url, namespace=SHOP, deadline_s=10, keys=keys, events_dir=tmp_path
    )


@pytest.fixture
def service(settings: ServiceSettings, ledger: Ledger) -> Iterator[Service]:
    app: Any = create_app(settings)
    with asgi.get_client(app) as session:
        yield Service("http://testserver", session, keyed=True, ledger=ledger)
    asgi.shutdown_lifespans()


@pytest.mark.slow
def test_requests(service: Service, settings: ServiceSettings, ledger: Ledger) -> None:
    document = schemathesis.openapi.from_dict(create_app(settings).openapi(), config=CONFIG)
    service.fuzz(document, examples=5, number=1, reads_alone=False)
    assert service.findings == {}
    assert ledger.findings() == []
    assert {status for _, status in service.outcomes} >= {"200", "202", "401", "403", "422"}


@pytest.mark.slow
@pytest.mark.parametrize("keeping", [True, False])
def test_calls(redis_url: str, ledger: Ledger, keeping: bool) -> None:
    with both(redis_url, keeping=keeping) as clients:
        for calls in (READS, TELLS):
            clients.fuzz(calls, ledger, 300, 1)
            assert ledger.findings() == []
    assert clients.findings == {}
    assert {"answered", "InvalidKey", "InvalidCursor"} <= {how for _, how in clients.outcomes}


def test_the_ledger_finds_what_it_is_there_for(redis_client: Redis, ledger: Ledger) -> None:
    assert ledger.findings() == []
    sent = {"event_id": "e1", "user_id": "ann", "event_type": "click", "item_id": "A1"}
    ledger.took(sent)
    other: Any = sent | {"ts": "2026-03-01T00:00:00+00:00", "item_id": "B1"}
    redis_client.xadd(KEYS.events, other)
    redis_client.set("sentinel", "x")
    redis_client.set(KEYS.list(1, "als", "ann"), "x")
    kinds = sorted(finding.split(":")[0] for finding in ledger.findings())
    assert kinds == [
        "changed",
        "command set",
        "missing",
        "missing",
        "no key of the contract",
        "not in the stream",
        "not tracked",
        "unexpected key",
    ]
