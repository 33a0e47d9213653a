"""`nightshelf serve` as a process: it starts, answers, and ends as it should."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import httpx
import pytest
from redis import Redis

from tests.lookup.service.serving import PATIENCE_S, Server, serving
from tests.lookup.shelves import publish
from tests.lookup.terminal import run


@pytest.fixture
def server(redis_url: str, redis_client: Redis, tmp_path: Path) -> Iterator[Server]:
    publish(redis_client, 1)
    with serving(redis_url, tmp_path / "log") as server:
        yield server


def wait_closed(server: Server) -> None:
    """Return once the stopping process accepts no connection."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        try:
            server.connect().close()
        except ConnectionRefusedError:
            return
        time.sleep(0.02)
    raise AssertionError("it still lets callers in")


def test_it_serves_and_on_sigterm_finishes_what_it_has_begun(server: Server) -> None:
    server.wait_ready()
    answer = httpx.get(f"http://127.0.0.1:{server.port}/recommendations/ann")
    assert (answer.status_code, answer.json()["source"]) == (200, "list")
    assert "server" not in answer.headers

    body = b'{"user_id": "ann", "n": 1}'
    head = (
        "POST /recommendations HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n"
    )
    with closing(server.connect()) as begun:
        begun.sendall(head.encode())
        assert begun.recv(100).startswith(b"HTTP/1.1 100")  # the app waits for the body
        server.process.send_signal(signal.SIGTERM)
        wait_closed(server)
        begun.sendall(body)
        with begun.makefile("rb") as reply:
            assert reply.read().startswith(b"HTTP/1.1 200")
    assert server.process.wait(PATIENCE_S) == 0

    lines = server.lines()  # all of them JSON
    assert "open" in {line["event"] for line in lines}
    assert [line["endpoint"] for line in lines if line["event"] == "request"][-2:] == [
        "/recommendations/{user_id}",
        "/recommendations",
    ]


def test_without_the_extra_it_says_what_to_install() -> None:
    code = "import sys; sys.modules['uvicorn'] = None; from nightshelf.cli.main import main; main()"
    done = subprocess.run([sys.executable, "-c", code, "serve"], capture_output=True, check=False)
    assert done.returncode == 1
    assert b"uvicorn is absent: pip install 'nightshelf[service]'" in done.stderr


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("NIGHTSHELF_SERVICE_KEY", "hunter2", "did you mean NIGHTSHELF_SERVICE_KEYS?"),
        ("NIGHTSHELF_SERVICE_KEYS", "hunter2", "NIGHTSHELF_SERVICE_KEYS: must be JSON"),
        ("NIGHTSHELF_SERVICE_MAX_PER_S", "hunter2", "NIGHTSHELF_SERVICE_MAX_PER_S: "),
        ("NIGHTSHELF_SERVICE_TRUSTED_PROXIES", '["hunter2"]', "SERVICE_TRUSTED_PROXIES.0: "),
        ("NIGHTSHELF_SERVICE_ROOT_PATH", "hunter2/", "NIGHTSHELF_SERVICE_ROOT_PATH: "),
        ("NIGHTSHELF_NAMESPACE", "Hunter2!", "namespace"),
        ("REDIS_URL", "http://:hunter2@db", "not a Redis URL"),
    ],
)
def test_a_setting_that_is_wrong_is_named_and_not_repeated(
    dead_url: str, name: str, value: str, found: str
) -> None:
    result = run(dead_url, "serve", **{name: value})
    assert result.exit_code == 2, result.output
    assert found in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert "hunter2" not in result.output


def test_a_redis_that_does_not_answer_is_told_at_the_start(dead_url: str, tmp_path: Path) -> None:
    with serving(dead_url, tmp_path / "log", events_dir=str(tmp_path / "nowhere")) as server:
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            with suppress(httpx.ConnectError):
                live = httpx.get(f"{server.url}/health/live", timeout=PATIENCE_S)
                break
            time.sleep(0.05)
        ready = httpx.get(f"{server.url}/health/ready", timeout=PATIENCE_S)
        assert (live.status_code, ready.status_code) == (200, 503)
        found = {line["event"]: line for line in server.lines()}
    assert "refused" in found["nothing to serve"]["causes"]
    assert found["nothing to serve"]["shelf"].endswith("'shop')")
    assert "nowhere" in found["no event log"]["hint"]
