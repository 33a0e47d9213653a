"""Settings: where each comes from, what is refused, and that no password gets out."""

import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tasks.choose.choice import Choice
from tasks.errors import SettingsError
from tasks.features.settings import FeatureSettings
from tasks.io.memory import MachineSettings
from tasks.recommend.settings import TopNSettings
from tasks.runs.saved_run import read_settings, settings_of
from tasks.settings import Settings, load_settings

SECRET = "hunter2"
URL = f"redis://shop:{SECRET}@cache.example:6380/2"


@pytest.fixture(autouse=True)
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave no variable and no file of the machine's own."""
    for name in list(os.environ):
        if name.upper().startswith("NIGHTSHELF_") or name.upper() == "REDIS_URL":
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def toml(text: str) -> None:
    Path("nightshelf.toml").write_text(text)


def refusal() -> str:
    with pytest.raises(SettingsError) as raised:
        load_settings("shop")
    return str(raised.value)


def test_the_record_of_a_night_has_what_it_chose(tmp_path: Path) -> None:
    """The refresh builds features by the record, for the model that learnt from the night's."""
    settings = load_settings("shop")
    choice = Choice(
        evidence=tmp_path,
        why="",
        spans={"learning": 365.0, "profile": 60.0, "popular": 3.0},
        fallback_days=14.0,
        weights={"als": 0.5, "graph": 0.0, "popular": 1.0},
        by_history={"1": [0.0, 0.0, 1.0]},
        held=False,
    )
    recipe = choice.applied(settings.recipe)
    taken = settings.taking(recipe)
    assert taken.recipe == recipe
    taken.save(tmp_path / "settings.json")
    record = settings_of(FeatureSettings, read_settings(tmp_path)["features"])
    assert (record.half_life_days, record.profile_half_life_days) == (365.0, 60.0)
    assert settings.taking(settings.recipe) == settings


def test_defaults_are_the_steps_own() -> None:
    settings = load_settings("shop")
    assert settings.topn == TopNSettings()
    assert settings.features == FeatureSettings()
    assert settings.redis_url.get_secret_value() == "redis://127.0.0.1:6379/0"


def test_a_variable_sets_one_field_and_leaves_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTSHELF_TOPN__N", "20")
    monkeypatch.setenv("nightshelf_features__half_life_days", "30")
    monkeypatch.setenv("NIGHTSHELF_INPUTS__SKIP_BROKEN_FILES", "true")
    settings = load_settings("shop")
    assert settings.topn == TopNSettings(n=20)
    assert settings.features == FeatureSettings(half_life_days=30)
    assert settings.inputs.skip_broken_files is True


def test_tables_and_lists_are_json_or_one_variable_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTSHELF_FEATURES__WEIGHTS", '{"addToCart": 3, "return": -2.5}')
    monkeypatch.setenv("NIGHTSHELF_FEATURES__SEEN", '["purchase"]')
    monkeypatch.setenv("NIGHTSHELF_INPUTS__EVENTS__USER_ID", "Customer ID")
    settings = load_settings("shop")
    assert settings.features.weights == {"addToCart": 3.0, "return": -2.5}
    assert settings.features.seen == ("purchase",)
    assert settings.inputs.events == {"user_id": "Customer ID"}


def test_the_environment_wins_over_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    toml(f'redis_url = "{URL}"\n[topn]\nn = 5\npage_size = 4\n[inputs.events]\nts = "when"\n')
    assert load_settings("shop").redis_url.get_secret_value() == URL
    monkeypatch.setenv("NIGHTSHELF_TOPN__N", "7")
    monkeypatch.setenv("REDIS_URL", "redis://elsewhere/0")
    settings = load_settings("shop")
    assert settings.topn == TopNSettings(n=7, page_size=4)
    assert settings.inputs.events == {"ts": "when"}
    assert settings.redis_url.get_secret_value() == "redis://elsewhere/0"


def test_the_address_of_redis_has_two_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://common/0")
    assert load_settings("shop").redis_url.get_secret_value() == "redis://common/0"
    monkeypatch.setenv("NIGHTSHELF_REDIS_URL", "redis://own/0")
    assert load_settings("shop").redis_url.get_secret_value() == "redis://own/0"


def test_a_misspelt_setting_is_refused_with_the_known_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTSHELF_TOPN__NN", "20")
    known = "topn.nn is no setting; topn has n, page_size, max_per_category"
    assert known in refusal()
    monkeypatch.delenv("NIGHTSHELF_TOPN__NN")
    toml("[features]\nhalf_live_days = 30\n")
    assert "features.half_live_days is no setting; features has weights, half_life" in refusal()


def test_a_misspelt_step_is_refused_with_the_known_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    toml("[feature]\nhalf_life_days = 30\n")
    assert "feature has no settings; those that do: inputs, events, features, models" in refusal()
    toml("")
    monkeypatch.setenv("NIGHTSHELF_TOP_N__N", "20")
    assert "top_n has no settings; those that do: inputs, events, features, models" in refusal()


def test_a_value_of_the_wrong_kind_names_its_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTSHELF_TOPN__N", "many")
    assert "NIGHTSHELF_TOPN__N: Input should be a valid integer" in refusal()
    assert "it is 'many'" in refusal()
    monkeypatch.delenv("NIGHTSHELF_TOPN__N")
    toml("[topn]\nn = 'many'\n")
    assert f"{Path('nightshelf.toml').absolute()}): topn.n: Input should be a valid" in refusal()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        (
            "FEATURES__HALF_LIFE_DAYS",
            "0",
            "Input should be greater than 0",
        ),
        ("FEATURES__HALF_LIFE_DAYS", "nan", "Input should be greater"),
        (
            "EVENTS__MAX_BAD_SHARE",
            "1.5",
            "Input should be less than or equal",
        ),
        (
            "EVENTS__MAX_BAD_SHARE",
            "-0.01",
            "Input should be greater than or",
        ),
        ("TOPN__N", "1001", "Input should be less than or equal to 1000"),
    ],
)
def test_an_unlawful_value_is_refused(
    name: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"NIGHTSHELF_{name}", value)
    assert f"NIGHTSHELF_{name}: {said}" in refusal()


def test_a_file_that_is_no_toml_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    toml("half_life_days = = 30\n")
    assert "nightshelf.toml" in refusal()
    toml("")
    monkeypatch.setenv("NIGHTSHELF_TOPN", "many")
    assert "topn" in refusal()


def test_other_variables_do_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    before = load_settings("shop")
    for name in ("NIGHTSHELF_NAMESPACE", "NIGHTSHELF_REAL_DATA", "TOPN__N", "N", "DIGEST", "SEEN"):
        monkeypatch.setenv(name, "shop")
    assert load_settings("shop") == before


def test_the_password_gets_out_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = load_settings("shop")
    monkeypatch.setenv("REDIS_URL", URL)
    settings = load_settings("shop")
    for text in (repr(settings), str(settings), str(settings.public()), settings.model_dump_json()):
        assert SECRET not in text
    assert settings.digest() == plain.digest()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NIGHTSHELF_T__N", "1"),
        ("NIGHTSHELF_TOPN__X", "1"),
        ("NIGHTSHELF_TOPN__N", "x"),
        ("NIGHTSHELF_FEATURES__SEEN", "[1"),
    ],
)
def test_no_refusal_shows_the_password(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    toml(f'redis_url = ":{SECRET}@h"')
    assert SECRET not in refusal()
    monkeypatch.setenv("REDIS_URL", f":{SECRET}@h")
    assert SECRET not in refusal()


def test_the_digest_follows_every_public_setting() -> None:
    plain = load_settings("shop")
    assert plain.digest() == load_settings("shop").digest()
    assert Settings(topn=TopNSettings(n=7)).digest() != plain.digest()
    assert Settings(features=FeatureSettings(weights={"view": 1})).digest() != plain.digest()
    unrecorded = {"redis_url", "watch", "machine", "spark"}
    assert set(plain.public()) == set(Settings.model_fields) - unrecorded
    machine = MachineSettings(memory_gb=2)
    assert Settings(machine=machine).digest() == plain.digest(), "a night held to less goes on"


def test_settings_cannot_be_changed_under_way() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        load_settings("shop").topn = TopNSettings(n=1)


def test_what_is_learnt_from_is_not_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    toml("[features.weights]\nview = 1.0\nimpression = 0.1\n")
    assert "events.idle has impression, which features uses" in refusal()
    monkeypatch.setenv("NIGHTSHELF_EVENTS__IDLE", "[]")
    assert load_settings("shop").features.weights["impression"] == 0.1


TWO_SHOPS = """\
[topn]
n = 30
page_size = 6

[features.weights]
view = 1.0
purchase = 5.0

[namespace.books.topn]
n = 20

[namespace.books.features.weights]
lend = 3.0

[namespace."shop.de-at_2".inputs.events]
user_id = "kunde"
"""


def test_a_namespace_has_its_own_over_the_common_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    toml(TWO_SHOPS)
    books, dotted, other = map(load_settings, ("books", "shop.de-at_2", "nobody"))
    assert books.topn == TopNSettings(n=20, page_size=6)
    assert books.features.weights == {"lend": 3.0}  # a table is one field
    assert dotted.topn == other.topn == TopNSettings(n=30, page_size=6)
    assert dotted.inputs.events == {"user_id": "kunde"}
    assert other.inputs.events == {}
    assert other.features.weights == {"view": 1.0, "purchase": 5.0}

    monkeypatch.setenv("NIGHTSHELF_TOPN__N", "7")
    assert load_settings("books").topn == load_settings("nobody").topn
    assert load_settings("books").topn == TopNSettings(n=7, page_size=6)


def test_a_namespace_may_have_a_redis_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    toml(f'redis_url = "redis://common/0"\n[namespace.books]\nredis_url = "{URL}"\n')
    assert load_settings("books").redis_url.get_secret_value() == URL
    assert load_settings("games").redis_url.get_secret_value() == "redis://common/0"
    monkeypatch.setenv("REDIS_URL", "redis://environment/0")
    assert load_settings("books").redis_url.get_secret_value() == "redis://environment/0"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[namespace.books.topn]\nm = 2", "namespace.books.topn.m is no setting; topn has n, page"),
        ("[namespace.games.topn]\nm = 2", "namespace.games.topn.m is no setting; topn has n, page"),
        ("[namespace.books.top]\nn = 2", "namespace.books.top has no settings; those that do: in"),
        ("[namespace.books]\nn = 2", "namespace.books.n has no settings; those that do: inputs"),
        ("[namespace.books]\ntopn = 2", "namespace.books.topn is no table of settings"),
        ("[namespace]\nbooks = 2", "namespace.books is no table; write [namespace.books.inputs]"),
        ("namespace = 2", "namespace is no table; write [namespace.<name>.inputs]"),
        ("[namespace.Books.topn]\nn = 2", "namespace.Books: namespace 'Books': expected 1 to 64"),
        ("[namespace.shop.de.topn]\nn = 2", 'with a dot is quoted: [namespace."shop.de"]'),
        ('[namespace."a.b".topn]\nm = 2', 'namespace."a.b".topn.m is no setting; topn has n'),
        ("[namespace.books.topn]\nn = 'x'", "namespace.books.topn.n: Input should be a valid int"),
        (
            "[namespace.books.features.weights]\nlend = 'x'",
            "namespace.books.features.weights.lend: ",
        ),
        ("[namespace.books.features]\nseen = '[1'", "features.seen is no JSON: Expecting ','"),
    ],
)
def test_what_is_wrong_under_a_namespace_is_said_with_its_place(text: str, said: str) -> None:
    toml(text)
    with pytest.raises(SettingsError) as raised:
        load_settings("books")
    assert f"; {Path('nightshelf.toml').absolute()}): " in str(raised.value)
    assert said in str(raised.value)


def test_a_wrong_value_of_another_namespace_stops_nobody() -> None:
    toml("[namespace.games.topn]\nn = 'x'\n[topn]\nn = 9\n")
    assert load_settings("books").topn.n == 9


def test_a_named_file_is_read_in_place_of_the_default_one(tmp_path: Path) -> None:
    toml("[topn]\nn = 9\n")
    Path("other.toml").write_text("[topn]\nn = 8\n")
    assert load_settings("books", tmp_path / "other.toml").topn.n == 8
    Path("other.toml").write_text("[topn]\nm = 8\n")
    with pytest.raises(SettingsError, match=r"other\.toml\): topn\.m is no setting"):
        load_settings("books", Path("other.toml"))
    with pytest.raises(SettingsError, match=r"none\.toml cannot be read: No such file"):
        load_settings("books", Path("none.toml"))


@pytest.mark.parametrize(
    ("features", "purchases", "doubts"),
    [
        ({}, ("purchase",), []),
        ({"weights": {"rating": 1.0}}, ("purchase",), []),
        ({"weights": {"order": 5.0, "page": 1.0}, "seen": ["order"]}, ("order",), []),
        ({"weights": {"order": 5.0, "stars": 1.0}, "seen": ["stars", "order"],
          "rating_types": ["stars"]}, ("order",), []),
        ({"weights": {"gift": 2.0}, "purchase_types": ["gift"], "seen": []}, ("gift",), []),
        ({"weights": {"order": 5.0, "page": 1.0}}, ("purchase",), ["seen", "purchase_types"]),
        ({"weights": {"page": 1.0}, "seen": [], "view_types": ["page"]}, ("purchase",), []),
    ],
)  # fmt: skip
def test_purchases_by_other_names(
    features: dict[str, Any], purchases: tuple[str, ...], doubts: list[str]
) -> None:
    settings = Settings(features=features)  # type: ignore[arg-type]
    assert settings.features.purchase_types == purchases
    assert settings.public()["features"]["purchase_types"] == purchases  # what was in force
    found = [said.removeprefix("features.").split()[0] for said in settings.features.doubts()]
    assert found == doubts


def test_a_purchase_is_not_passed_over() -> None:
    toml('[events]\nidle = ["order"]\n[features]\npurchase_types = ["order"]\n')
    assert "events.idle has order, which features uses" in refusal()
