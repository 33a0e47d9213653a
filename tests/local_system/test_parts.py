"""Parts of the local system: ports, keys, logs, configuration, the ends of processes."""

import fcntl
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from honcho.printer import Message
from ruamel.yaml import YAML

from data.sample_shop.shop import make_shop
from data.schema import InputError
from data.simulator.shop_day import shop_on
from local_system.configs import EXPERIMENT, prefect_file, settings_file, write_configs
from local_system.days import write_catalogue
from local_system.environment import common_environment, service_environment, worker_environment
from local_system.keys import key_file, service_keys
from local_system.log_files import N_OLDER, LogFiles
from local_system.ports import check_free, is_free
from local_system.processes import descendants, end, runs
from local_system.screen import screen_text
from local_system.settings import UpSettings, read
from tasks.experiments.load import load_experiments
from tasks.ingest.contract import InputSettings, check_inputs
from tasks.settings import load_settings
from tests.conftest import ROOT, free_port

LONGEST_S = 30.0


@pytest.fixture
def up(tmp_path: Path) -> UpSettings:
    return UpSettings(tmp_path / "up", 8080, 4200, 6391, date(2026, 3, 1), days=3)


def test_a_taken_port_says_which_and_names_a_free_one() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(InputError) as refused:
            check_free({"UI_PORT": ("Prefect", port), "PORT": ("service", free_port())})
    said = str(refused.value)
    assert said.startswith(f"port {port} (Prefect) is taken; choose another: make up UI_PORT=")
    assert is_free(int(said.rpartition("=")[2]))
    assert "\n" not in said, "the other port is free"


def test_keys_are_made_once_and_only_their_owner_can_read_them(tmp_path: Path) -> None:
    keys = service_keys(tmp_path)
    assert service_keys(tmp_path) == keys
    for name in ("admin", "app", "console-secret"):
        assert stat.S_IMODE(key_file(tmp_path, name).stat().st_mode) == 0o600
    assert not any(key in repr(keys) + keys.setting for key in (keys.admin, keys.app))


def test_settings_come_back_from_the_folder(up: UpSettings) -> None:
    assert read(up.folder) is None
    up.folder.mkdir()
    up.save()
    assert read(up.folder) == up


def test_the_configuration_is_one_that_the_flows_take(
    up: UpSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    up.folder.mkdir()
    write_configs(up, ROOT / "prefect.yaml")
    for name, value in worker_environment(up, service_keys(up.folder)).items():
        monkeypatch.setenv(name, value)
    found = load_settings("shop", settings_file(up))
    assert found.collect.replay, "days are played"
    assert found.watch.services == ("http://127.0.0.1:8080",)
    assert "NIGHTSHELF_COLLECT__REPLAY" not in worker_environment(
        replace(up, days=0), service_keys(up.folder)
    )
    own, bandit = load_experiments("shop", settings_file(up))
    assert (own.id, own.control.model) == (EXPERIMENT, "popular")
    assert (own.start, bandit.allocation) == (datetime(2026, 3, 1, tzinfo=UTC), "bandit")

    made = YAML(typ="safe").load(prefect_file(up))
    theirs = YAML(typ="safe").load(ROOT / "prefect.yaml")
    assert [each["name"] for each in made["deployments"]] == [
        each["name"] for each in theirs["deployments"]
    ]
    for each, before in zip(made["deployments"], theirs["deployments"], strict=True):
        assert each["parameters"].keys() >= before["parameters"].keys()
        paths = {name: value for name, value in each["parameters"].items() if name != "namespace"}
        assert all(value.startswith(str(up.folder)) for value in paths.values())
        assert all(not schedule["active"] for schedule in each.get("schedules", ()))


def test_files_of_ones_own_stay(up: UpSettings) -> None:
    up.folder.mkdir()
    for name in ("experiments.toml", "nightshelf.toml"):
        (up.folder / name).write_text("# mine\n")
    write_configs(up, ROOT / "prefect.yaml")
    for name in ("experiments.toml", "nightshelf.toml"):
        assert (up.folder / name).read_text() == "# mine\n"


def test_nothing_of_the_callers_environment_gets_in(
    up: UpSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PREFECT_API_KEY", "NIGHTSHELF_TOPN__N", "REDIS_URL", "NIGHTSHELF_SERVICE_KEYS"):
        monkeypatch.setenv(name, "theirs")
    keys = service_keys(up.folder)
    common = common_environment(up, "redis://127.0.0.1:1/0")
    served = service_environment(up, keys)
    assert "theirs" not in [*common.values(), *served.values()]
    for each in (common, served):
        assert keys.admin not in str(each), "the service knows digests alone"


def test_the_screen_has_addresses_and_no_secret(up: UpSettings) -> None:
    keys = service_keys(up.folder)
    said = screen_text(up, "redis://me:s3cret@redis.example:6400/0")
    for part in ("127.0.0.1:8080/console/", "127.0.0.1:4200", "redis://redis.example:6400/0"):
        assert part in said
    for secret in ("s3cret", keys.admin, keys.app, keys.console_secret):
        assert secret not in said


def test_logs_are_rotated_by_size_and_the_shown_one_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logs = LogFiles(tmp_path, shown="simulator", max_bytes=1_000)
    for number in range(500):
        for name in ("worker", "simulator"):
            logs.write(Message("line", f"{number:04} of {name}\n".encode(), None, name, None))
    logs.write(Message("line", b"no UTF-8: \xff\n", None, "worker", None))
    logs.close()
    files = sorted(path.name for path in tmp_path.glob("worker.log*"))
    assert files == ["worker.log", *(f"worker.log.{n + 1}" for n in range(N_OLDER))]
    assert all((tmp_path / name).stat().st_size <= 1_000 for name in files)
    assert (tmp_path / "worker.log").read_text().endswith("0499 of worker\nno UTF-8: �\n")
    printed = capsys.readouterr().out.splitlines()
    assert printed == [f"{number:04} of simulator" for number in range(500)]


#: Starts a child in a session of its own that ignores the end, as a flow run may.
_STUBBORN = """
import signal, subprocess, sys, time
child = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
subprocess.Popen([sys.executable, "-c", child], start_new_session=True)
time.sleep(600)
"""


def test_the_end_reaches_processes_in_sessions_of_their_own() -> None:
    with subprocess.Popen([sys.executable, "-c", _STUBBORN]) as parent:
        deadline = time.monotonic() + LONGEST_S
        while not descendants([parent.pid]) and time.monotonic() < deadline:
            time.sleep(0.05)
        (child,) = descendants([parent.pid])
        assert runs(child)
        end([child, parent.pid], wait_s=0.5)
    assert not runs(child)


#: A system of two processes, of which one starts a process in another session.
_SYSTEM = """
import shlex, sys
from pathlib import Path
from local_system.log_files import LogFiles
from local_system.processes import System
system = System(LogFiles(Path(sys.argv[1]), shown="talker"))
system.add_process("stubborn", f"exec {shlex.join([sys.executable, '-c', sys.argv[2]])}")
system.add_process("talker", sys.argv[3])
system.loop()
print("asked" if system.asked_to_end else system.ended_first, flush=True)
"""


def system(folder: Path, talker: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", _SYSTEM, str(folder), _STUBBORN, talker]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_asked_to_end_a_system_leaves_no_process(tmp_path: Path, number: int) -> None:
    with system(tmp_path, "echo up; exec sleep 600") as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "up\n"
        deadline = time.monotonic() + LONGEST_S
        while len(descendants([running.pid])) < 5 and time.monotonic() < deadline:
            time.sleep(0.05)
        all_of_it = descendants([running.pid])
        assert len(all_of_it) >= 5, "two of honcho's, three of ours"
        os.kill(running.pid, number)
        assert running.stdout.read() == "asked\n"
    assert not [pid for pid in all_of_it if runs(pid)]


def test_one_that_ends_by_itself_ends_all_and_is_named(tmp_path: Path) -> None:
    with system(tmp_path, "exec sh -c 'exit 3'") as running:
        assert running.stdout is not None
        assert running.stdout.read() == "talker\n"


def test_days_have_dates_before_today(up: UpSettings) -> None:
    assert [day.day for day in up.played] == [1, 2, 3]
    assert replace(up, days=0).played == []


def test_make_hands_its_options_on() -> None:
    asked = ["PORT=1", "UI_PORT=2", "REDIS_PORT=3", "DAYS=4", "EXIT=1", f"VENV={sys.prefix}"]
    done = subprocess.run(
        ["make", "-n", "-s", "up", *asked], cwd=ROOT, capture_output=True, text=True, check=True
    )
    options = "--port 1 --ui-port 2 --redis-port 3 --days 4 --exit"
    assert done.stdout.strip().endswith(f"-m local_system.up {options}")


def test_a_second_system_in_a_folder_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "up"
    with (tmp_path / "up.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        command = [sys.executable, "-m", "local_system.up", "--folder", str(folder)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == f"error: another make up runs in {folder}: end it first\n"
    assert not folder.exists()


def test_a_folder_of_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    ports = [str(free_port()) for _ in range(3)]
    command = [sys.executable, "-m", "local_system.up", "--folder", str(tmp_path)]
    options = zip(("--port", "--ui-port", "--redis-port"), ports, strict=True)
    command += [part for option in options for part in option]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, (tmp_path / "mine.txt").read_text()) == (1, "mine")
    assert "holds other files; choose another --folder" in done.stderr


def test_the_catalogue_of_a_day_is_one_that_a_night_takes(up: UpSettings) -> None:
    small = replace(up, users=100, items=150)
    make_shop(up.folder / "shop", small.shop)
    write_catalogue(small, shop_on(date(2026, 3, 2), small.shop, small.traffic))
    checked = check_inputs(small.events, small.catalogue, small.people, InputSettings())
    assert checked.notes == ()
    ids = pq.read_table(small.catalogue)["item_id"].to_pylist()
    assert len(ids) == 150 + 2 * small.traffic.new_items_a_day
