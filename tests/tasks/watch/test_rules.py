"""Rules in the settings: changed, switched off, and refused."""

import re
from pathlib import Path

import pytest

from tasks.errors import SettingsError
from tasks.settings import load_settings
from tasks.watch.rules import RULES
from tests.conftest import ROOT


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def toml(text: str) -> None:
    Path("nightshelf.toml").write_text(text)


def test_a_rule_is_changed_in_part() -> None:
    toml(
        '[watch.rules.ctr]\nwarning = 0.04\nfor_s = 60\n[watch.rules.p95]\ncritical = "off"\n'
        "[watch.rules.process_hit_rate]\non = true\n"
        "[namespace.books.watch.rules.ctr]\non = false\n"
    )
    rules = load_settings("shop").watch.all_rules
    assert (rules["ctr"].warning, rules["ctr"].critical, rules["ctr"].for_s) == (0.04, 0.03, 60)
    assert (rules["p95"].warning, rules["p95"].critical) == (0.2, None)
    assert rules["process_hit_rate"].on
    assert rules["coverage"] == RULES["coverage"]
    books = load_settings("books").watch.all_rules
    assert not books["ctr"].on
    assert books["p95"] == RULES["p95"], "the namespace's table of rules replaces the common one"


def test_the_environment_changes_a_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTSHELF_WATCH__RULES", '{"ctr": {"warning": 0.1}}')
    monkeypatch.setenv("NIGHTSHELF_WATCH__NOTIFY", '["json://127.0.0.1/"]')
    watch = load_settings("shop").watch
    assert watch.all_rules["ctr"].warning == 0.1
    assert [each.get_secret_value() for each in watch.notify] == ["json://127.0.0.1/"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[watch.rules.ctrr]\non = false", "watch.rules: ctrr is no rule; the rules are redis, "),
        ("[watch.rules.ctr]\nwarnin = 1", r"watch\.rules\.ctr\.warnin: Unexpected keyword"),
        ("[watch.rules.ctr]\nwarning = 'low'", r"watch\.rules\.ctr\.warning.*valid number"),
        ("[watch.rules.ctr]\nwarning = nan", r"watch\.rules\.ctr\.warning.*finite"),
        ("[watch.rules.ctr]\nfor_s = -1", r"watch\.rules\.ctr\.for_s: .*greater than or equal"),
        ("[watch.rules.ctr]\nwarning = 0.01", "ctr: critical .0.03. must not lie on the good side"),
        ("[watch.rules.p95]\ncritical = 0.1", "p95: critical .0.1. must not lie on the good side"),
        ('[watch.rules.redis]\ncritical = "off"', "redis has no threshold left; switch it off"),
        ('[watch]\nservices = ["127.0.0.1:80"]', "watch.services: expected addresses such as"),
        ('[watch]\nservices = ["http://a:s3cret@b"]', "watch.services: expected addresses such"),
        (
            '[watch]\nnotify = "json://ops:s3cret@host/"',
            r"watch\.notify: Input should be a valid t",
        ),
        ("[watch]\nservice_key = ['s3cret']", r"watch\.service_key: Input should be a valid str"),
    ],
)
def test_what_is_wrong_is_said_without_secrets(text: str, says: str) -> None:
    toml(text)
    with pytest.raises(SettingsError) as error:
        load_settings("shop")
    assert re.search(says, str(error.value)), error.value
    assert "s3cret" not in str(error.value)


def test_settings_of_the_watch_are_not_recorded() -> None:
    toml('[watch]\nnotify = ["json://ops:s3cret@host/"]\nservice_key = "s3cret"')
    settings = load_settings("shop")
    settings.save(Path("settings.json"))
    assert "s3cret" not in Path("settings.json").read_text() + repr(settings)
    toml("")
    assert load_settings("shop").digest() == settings.digest()


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.name)
def test_each_rule_has_its_runbook(rule: object) -> None:
    runbook = str(getattr(rule, "runbook", ""))
    file, _, anchor = runbook.partition("#")
    titles = re.findall(r"^#+ (.*)$", (ROOT / file).read_text(), re.MULTILINE)
    anchors = [re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles]
    assert anchor in anchors
