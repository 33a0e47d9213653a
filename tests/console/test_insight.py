"""The pages of catalogue, experiments, settings and doctor in a browser."""

import json
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from redis import Redis

from nightshelf.admin import audit
from tasks.readout.read_out import read_out
from tests.console.browser import Visit
from tests.console.inspected import TEST, catalogue, inspected
from tests.console.shop import EVIL
from tests.lookup.experiments import live_experiments
from tests.lookup.service.serving import serving
from tests.lookup.shelves import SHOP
from tests.tasks.readout.simulated import DEFINITION
from tests.tasks.readout.test_read_out import SETTINGS, UNTIL, some_traffic, source


@pytest.fixture(autouse=True)
def shop(client: Redis, runs: Path) -> None:
    """A planted shop with all that the pages show."""
    inspected(client, runs)


def test_the_catalogue(reader: Visit) -> None:
    page, rows = reader.go("catalogue"), catalogue()
    available = [row for row in rows if row["available"]]
    shown = [row for row in available if row["n_lists"]]
    assert f"{len(shown)} of {len(available)} available items" in reader.text
    assert EVIL in reader.text
    reader.pictures("catalogue")
    never = sorted(
        (row for row in available if not row["n_lists"]),
        key=lambda row: (-row["n_events"], row["item_id"]),
    )
    page.click("text=Never shown")
    seen = [each.text_content() for each in page.locator("td code").all()]
    assert seen == [row["item_id"] for row in never][:25]
    page.click("text=Unavailable >> nth=-1")
    assert f"of {len(rows) - len(available)}," in page.locator("caption").last.inner_text()
    page.click("text=Most shown")
    page.click("text=Next")
    page.click("text=Previous")
    assert page.url.endswith("start=0#items")


def test_an_experiment_with_its_readout(reader: Visit, runs: Path, tmp_path: Path) -> None:
    reader.go("experiments")
    assert "exp<b>1" in reader.text
    assert "There is no readout yet" in reader.text
    record = read_out(DEFINITION, source(tmp_path, some_traffic(1_500)), SETTINGS, UNTIL)
    folder = runs / SHOP / "experiments"
    folder.mkdir(exist_ok=True)
    (folder / f"{TEST.id}.json").write_text(json.dumps(record.document(), default=str))
    page = reader.go("experiments")
    assert "b: better by conversion, the primary metric" in reader.text
    for sentence in record.sentences:
        assert sentence in reader.text
    drawn = page.locator("svg", has_text="difference from the control").locator("line.interval")
    assert drawn.count() == 3, "an interval for each metric of the variant"
    reader.pictures("experiments")
    (folder / f"{TEST.id}.json").unlink()


def test_an_experiment_is_stopped(operator: Visit, client: Redis) -> None:
    page = operator.go("experiments")
    page.click("main a.button")
    page.click("main button")
    assert "phase 2 is stopped" in operator.text
    assert [each.status for each in live_experiments(client)] == ["stopped"]
    (line,) = audit.lines(client, SHOP, 1)
    assert (line.action, line.what) == ("stop", f"experiment {TEST.id}")
    operator.go("experiments")
    assert not page.locator("main a.button").count()
    operator.refusals.add(422)
    operator.go(f"experiment-stop?id={quote('no such')}")
    assert "no experiment 'no such'" in operator.text


def test_settings_without_secrets(reader: Visit) -> None:
    reader.go("settings")
    assert "max_per_category" in reader.text
    assert "secret" not in reader.page.content().replace("console_secret", "")
    assert "olga-operator" in reader.text, "of keys the names are shown"
    assert "key-of-olga" not in reader.page.content()
    reader.pictures("settings")


def test_the_doctor_looks_when_asked(reader: Visit) -> None:
    page = reader.go("doctor")
    assert "pointer" not in reader.text
    page.click("text=Look now")
    assert "pointer" in reader.text
    assert "As of 20" in reader.text
    reader.pictures("doctor")


def test_a_service_that_has_used_duckdb_ends_without_a_word_of_leaks(
    client: Redis, shop_url: str, runs: Path, tmp_path: Path
) -> None:
    settings = {"console": "true", "runs_dir": str(runs)}
    with serving(shop_url, tmp_path / "service.log", **settings) as server:
        server.wait_ready()
        assert httpx.get(f"{server.url}/console/catalogue").status_code == 200
        server.process.terminate()
        assert server.process.wait(30) == 0
        assert server.lines()[-1]["event"].startswith("Finished server process")
