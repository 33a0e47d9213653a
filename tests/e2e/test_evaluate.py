"""The evaluation as a flow: the command, its document, its artifact."""

import json
import subprocess
import sys
from pathlib import Path

from data.sample_shop.shop import ShopSettings, make_shop
from tests.conftest import ROOT
from tests.e2e.test_prefect import ask

SHOP = ShopSettings(n_users=80, n_items=150, n_days=14)


def test_the_command_prints_json_and_leaves_an_artifact(
    prefect_env: dict[str, str], tmp_path: Path
) -> None:
    shop = make_shop(tmp_path / "shop", SHOP)
    files = ("--events", shop.events, "--items", shop.items, "--users", shop.users)
    command = [sys.executable, "-m", "flows.evaluate", *files, "--run-root", tmp_path / "runs"]
    asked = (*command, "--namespace", "judged", "--json", "--as-of", f"{SHOP.end:%Y-%m-%d}")

    def run(*more: str) -> subprocess.CompletedProcess[str]:
        ours = [*map(str, asked), *more]
        return subprocess.run(
            ours, env=prefect_env, cwd=ROOT, capture_output=True, text=True, check=False
        )

    done = run()
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    saved = tmp_path / "runs/evaluate/judged/1/evaluation.json"
    assert document == json.loads(saved.read_text())
    assert [each["protocol"] for each in document["judgements"]] == [
        *("by-time", "last-event", "one-against-99")
    ]
    shown = {row["key"]: row["data"] for row in ask(prefect_env, "artifacts", {})}
    assert "## One against 99" in shown["judged-evaluation"]

    failed = run("--protocol", "by-time", "--as-of", "2027-06-01")
    assert (failed.returncode, failed.stdout) == (1, "")
    assert failed.stderr.count("nobody took to a new item") == 1
    assert "Traceback" not in failed.stderr
