"""The evaluation as a flow: the command, its document, its artifact."""

import json
import subprocess
from pathlib import Path

from data.sample_shop.shop import ShopSettings, make_shop
from tests.conftest import ROOT
from tests.session.prefect_server import ask

SHOP = ShopSettings(n_users=80, n_items=150, n_days=14)


def test_the_command_prints_json_and_leaves_an_artifact(
    prefect_env: dict[str, str], tmp_path: Path
) -> None:
    shop = make_shop(tmp_path / "shop", SHOP)
    files = ("--events", shop.events, "--items", shop.items, "--users", shop.users)
    command = ["python", "-m", "flows.evaluate", *files, "--run-root", tmp_path / "runs"]
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
    (page,) = ask(prefect_env, "artifacts", {"artifacts": {"key": {"any_": ["judged-evaluation"]}}})
    assert "## One against 99" in page["data"]

    failed = run("--protocol", "by-time", "--as-of", "2027-06-01")
    assert (failed.returncode, failed.stdout) == (1, "")
    assert failed.stderr.count("nobody took to a new item") == 1
    assert "Traceback" not in failed.stderr
