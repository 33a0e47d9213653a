"""compose.yaml: the schema of the specification, files that are there, and little that is open."""

import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.deploy.conftest import variables
from tests.deploy.tools import DEPLOY, program, run


def _load(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = YAML(typ="safe").load(path)
    return content


COMPOSE = _load(DEPLOY / "compose.yaml")
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


def test_the_specifications_schema() -> None:
    checker = program("check-jsonschema")
    run(checker, "--builtin-schema", "vendor.compose-spec", DEPLOY / "compose.yaml")


def test_compose_itself_resolves_it(deployed: Path) -> None:
    """Compose reads the env files as they were written: JSON with its quotes, addresses whole."""
    text = run(program("docker-compose"), "-f", deployed / "compose.yaml", "config")
    resolved = YAML(typ="safe").load(text)["services"]
    assert set(resolved) == set(SERVICES) - {"operator"}  # by hand
    for part in ("night", "collect", "refresh", "watch", "service"):
        expected = variables(deployed / f"secrets/{part}.env")
        assert expected.items() <= resolved[part]["environment"].items(), part


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_part_may_do_nothing_that_it_need_not(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["logging"]["options"] == {"max-size": "10m", "max-file": "5"}
    assert all(re.match(r"127\.0\.0\.1:", port) for port in service.get("ports", []))
    assert re.fullmatch(r"[a-z/-]+:v?\d[\d.]*", service["image"]), "a tag, and no registry's host"
    assert "healthcheck" in service or "nightshelf" in service["image"], "else the image's own"


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_its_files_are_there(name: str, deployed: Path) -> None:
    service = SERVICES[name]
    files = service.get("env_file", [])
    for file in [files] if isinstance(files, str) else files:
        assert (deployed / file).is_file()
    for volume in service.get("volumes", []):
        source = volume.split(":")[0]
        if source.startswith("."):
            assert (deployed / source).exists(), source
        elif not source.startswith("$"):
            assert source in COMPOSE["volumes"]


def test_each_worker_takes_the_queue_of_its_login() -> None:
    for queue in ("night", "collect", "refresh", "watch"):
        assert SERVICES[queue]["command"][-2:] == ["--work-queue", queue]
        assert SERVICES[queue]["env_file"] == ["secrets/prefect-client.env", f"secrets/{queue}.env"]


def test_redis_evicts_nothing_and_saves_every_write() -> None:
    conf = dict(
        line.split(" ", 1)
        for line in (DEPLOY / "valkey/valkey.conf").read_text().splitlines()
        if line and not line.startswith("#")
    )
    assert conf["maxmemory-policy"] == "noeviction"
    assert conf["appendonly"] == "yes"
    assert int(conf["maxmemory"].removesuffix("gb")) < int(
        SERVICES["valkey"]["mem_limit"].removesuffix("g")
    )


def test_the_deployments_are_those_of_the_checkout() -> None:
    """Names, flows, schedules and limits; files and queues are the server's own."""
    own, server = _load(DEPLOY.parent / "prefect.yaml"), _load(DEPLOY / "settings/prefect.yaml")
    assert own["prefect-version"] == server["prefect-version"]
    for ours, theirs in zip(own["deployments"], server["deployments"], strict=True):
        parameters, queue = theirs.pop("parameters"), theirs["work_pool"].pop("work_queue_name")
        assert set(parameters) - {"run_root"} == set(ours.pop("parameters")) - {"run_root"}
        assert queue == ours["work_pool"].pop("work_queue_name", "night")
        assert ours == theirs
        files = [value for value in parameters.values() if value != "shop"]
        assert all(value.startswith("/var/lib/nightshelf/") for value in files)


def test_prometheus_takes_its_configuration() -> None:
    folder = DEPLOY / "prometheus"
    run(program("promtool"), "check", "config", "--syntax-only", "compose.yml", cwd=folder)
    config = _load(folder / "compose.yml")
    (job,) = config["scrape_configs"]
    assert job["static_configs"] == [{"targets": ["service:8080"]}]
    assert config["rule_files"] == ["rules.yml"]


def test_grafana_finds_source_and_dashboard() -> None:
    folder = DEPLOY / "grafana/provisioning"
    (source,) = _load(folder / "datasources/prometheus.yml")["datasources"]
    assert source["url"] == "http://prometheus:9090"
    (provider,) = _load(folder / "dashboards/nightshelf.yml")["providers"]
    mounted = [volume.split(":")[1] for volume in SERVICES["grafana"]["volumes"]]
    assert f"{provider['options']['path']}/nightshelf.json" in mounted
