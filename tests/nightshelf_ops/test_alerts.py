"""The command `nightshelf alerts test`."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from nightshelf.cli import main as cli
from tests.tasks.watch.shop import Webhook


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(*args: str) -> Result:
    return CliRunner().invoke(cli.app, ["alerts", "test", *args])


def test_each_receiver_gets_one_message_and_failures_are_named() -> None:
    webhook = Webhook()
    with webhook.open() as address:
        Path("nightshelf.toml").write_text(
            f'[watch]\nnotify = ["{address}", "json://ops:s3cret@127.0.0.1:1/t0ken"]\n'
        )
        done = run()
        assert webhook.titles == ["[test] shop: a test of the watch"]
        document = json.loads(run("--json").output)
        good, bad = (each["receiver"] for each in document["receivers"])
        only = run("--to", good)
    assert done.exit_code == 1
    rows = [line.strip().split(maxsplit=1) for line in done.output.splitlines()[2:]]
    assert rows[0] == [good, "sent"]
    assert rows[1][0] == bad
    assert rows[1][1].startswith("failed: the receiver did not accept it")
    assert [each["error"] is None for each in document["receivers"]] == [True, False]
    assert only.exit_code == 0
    assert len(webhook.received) == 3
    for secret in ("s3cret", "t0ken"):
        assert secret not in done.output + json.dumps(document) + only.output


def test_without_a_receiver_it_says_how_to_name_one() -> None:
    done = run()
    assert done.exit_code == 1
    assert "no receiver: set watch.notify to Apprise addresses" in done.output
    assert "error" in json.loads(run("--json").output)
