"""The logins of deploy/users.acl do their work on a cluster as well, also while a slot moves."""

import shlex
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from redis.crc import key_slot

from nightshelf import Shelf
from nightshelf.admin import blocklist, erasure
from nightshelf.doctor.examine import examine
from tasks.collector.collect import CollectSettings, collect
from tasks.publish.redis_client import connect
from tasks.publish.settings import PublishSettings
from tests.cluster.nodes import Cluster
from tests.faults.test_acl import ACL, ROLES, filled_in, password
from tests.lookup.shelves import SHOP
from tests.nightshelf_ops.night import make_night


@pytest.fixture
def guarded(cluster: Cluster, redis_client: Any) -> Iterator[Cluster]:
    """The session's cluster with all logins but the default's own taken from the file."""
    lines = [shlex.split(line) for line in filled_in(ACL.read_text()).splitlines()]
    users = [line[1:] for line in lines if line and line[1] in ROLES]
    for node in cluster.masters:
        for user in users:
            node.ask("ACL", "SETUSER", *_joined(user))
    yield cluster
    for node in cluster.masters:
        node.ask("ACL", "DELUSER", *ROLES)


def _joined(words: list[str]) -> Iterator[str]:
    """Yield the words of a rule, those of a selector in parentheses as one."""
    inside: list[str] = []
    for word in words:
        if word.startswith("(") or inside:
            inside.append(word)
            if word.endswith(")"):
                yield " ".join(inside)
                inside = []
        else:
            yield word


def test_each_login_does_its_work(guarded: Cluster, tmp_path: Path) -> None:
    def as_(role: str) -> str:
        return guarded.url.replace("://", f"://{role}:{password(role)}@")

    with closing(connect(as_("publisher"), PublishSettings())) as publisher:
        make_night(publisher, tmp_path)
    reader, service = (
        Shelf(connect(as_(role), PublishSettings()), SHOP) for role in ("reader", "service")
    )
    slot = key_slot(b"{u00}")
    to = next(node for node in guarded.masters if node is not guarded.owner(slot))
    guarded.begin_move(slot, to)
    guarded.move_keys(slot, to, n=1)
    assert reader.get("u00").source == "list"
    assert service.acted("u00", "purchase", reader.get("u00").items[0].item_id).recorded
    guarded.move_keys(slot, to)
    guarded.end_move(slot, to)
    with closing(connect(as_("collector"), PublishSettings())) as collector:
        assert collect(collector, SHOP, tmp_path / "events", CollectSettings()).n_events == 1
    with closing(connect(as_("operator"), PublishSettings())) as operator:
        assert blocklist.block(operator, SHOP, ["x"]) == 1
        found, left = erasure.forget(operator, SHOP, "u00")
        assert found.keys
        assert not left
        assert examine(operator, SHOP, 86_400, names=("rights",))["rights"].outcome == "ok"
    assert not reader.counters().causes
    assert not service.counters().causes
