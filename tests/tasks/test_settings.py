"""Settings: where each comes from, what is refused, and that no password gets out."""

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from tasks.errors import SettingsError
from tasks.features import FeatureSettings
from tasks.rank import TopNSettings
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
        load_settings()
    return str(raised.value)


def test_defaults_are_the_steps_own() -> None:
    settings = Settings()
    assert settings.topn == TopNSettings()
    assert settings.features == FeatureSettings()
    assert settings.redis_url.get_secret_value() == "redis://127.0.0.1:6379/0"


def test_a_variable_sets_one_field_and_leaves_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTSHELF_TOPN__N", "20")
    monkeypatch.setenv("nightshelf_features__half_life_days", "30")
    monkeypatch.setenv("NIGHTSHELF_INPUTS__SKIP_BROKEN_FILES", "true")
    settings = Settings()
    assert settings.topn == TopNSettings(n=20)
    assert settings.features == FeatureSettings(half_life_days=30)
    assert settings.inputs.skip_broken_files is True


def test_tables_and_lists_are_json_or_one_variable_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTSHELF_FEATURES__WEIGHTS", '{"addToCart": 3, "return": -2.5}')
    monkeypatch.setenv("NIGHTSHELF_FEATURES__SEEN", '["purchase"]')
    monkeypatch.setenv("NIGHTSHELF_INPUTS__EVENTS__USER_ID", "Customer ID")
    settings = Settings()
    assert settings.features.weights == {"addToCart": 3.0, "return": -2.5}
    assert settings.features.seen == ("purchase",)
    assert settings.inputs.events == {"user_id": "Customer ID"}


def test_the_environment_wins_over_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    toml(f'redis_url = "{URL}"\n[topn]\nn = 5\npage_size = 4\n[inputs.events]\nts = "when"\n')
    assert Settings().redis_url.get_secret_value() == URL
    monkeypatch.setenv("NIGHTSHELF_TOPN__N", "7")
    monkeypatch.setenv("REDIS_URL", "redis://elsewhere/0")
    settings = Settings()
    assert settings.topn == TopNSettings(n=7, page_size=4)
    assert settings.inputs.events == {"ts": "when"}
    assert settings.redis_url.get_secret_value() == "redis://elsewhere/0"


def test_the_address_of_redis_has_two_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://common/0")
    assert Settings().redis_url.get_secret_value() == "redis://common/0"
    monkeypatch.setenv("NIGHTSHELF_REDIS_URL", "redis://own/0")
    assert Settings().redis_url.get_secret_value() == "redis://own/0"


def test_a_misspelt_setting_is_refused_with_the_known_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTSHELF_TOPN__NN", "20")
    known = "topn.nn is no setting; topn has n, page_size, max_per_category"
    assert known in refusal()
    monkeypatch.delenv("NIGHTSHELF_TOPN__NN")
    toml("[features]\nhalf_live_days = 30\n")
    assert "features.half_live_days is no setting; features has weights, half_life" in refusal()


def test_a_misspelt_step_is_refused_with_the_known_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    toml("[feature]\nhalf_life_days = 30\n")
    assert "feature has no settings; those that do: inputs, events, features, train" in refusal()
    toml("")
    monkeypatch.setenv("NIGHTSHELF_TOP_N__N", "20")
    assert "top_n has no settings; those that do: inputs, events, features, train" in refusal()


def test_a_value_of_the_wrong_kind_names_its_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTSHELF_TOPN__N", "many")
    assert "topn.n\n  Input should be a valid integer" in refusal()
    monkeypatch.delenv("NIGHTSHELF_TOPN__N")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        (
            "FEATURES__HALF_LIFE_DAYS",
            "0",
            "features.half_life_days\n  Input should be greater than 0",
        ),
        ("FEATURES__HALF_LIFE_DAYS", "nan", "features.half_life_days\n  Input should be greater"),
        (
            "EVENTS__MAX_BAD_SHARE",
            "1.5",
            "events.max_bad_share\n  Input should be less than or equal",
        ),
        (
            "EVENTS__MAX_BAD_SHARE",
            "-0.01",
            "events.max_bad_share\n  Input should be greater than or",
        ),
        ("TOPN__N", "1001", "topn.n\n  Input should be less than or equal to 1000"),
    ],
)
def test_an_unlawful_value_is_refused(
    name: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"NIGHTSHELF_{name}", value)
    assert said in refusal()


def test_a_file_that_is_no_toml_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    toml("half_life_days = = 30\n")
    assert "nightshelf.toml" in refusal()
    toml("")
    monkeypatch.setenv("NIGHTSHELF_TOPN", "many")
    assert "topn" in refusal()


def test_other_variables_do_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    before = Settings()
    for name in ("NIGHTSHELF_NAMESPACE", "NIGHTSHELF_REAL_DATA", "TOPN__N", "N", "DIGEST", "SEEN"):
        monkeypatch.setenv(name, "shop")
    assert Settings() == before


def test_the_password_gets_out_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = Settings()
    monkeypatch.setenv("REDIS_URL", URL)
    settings = Settings()
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
    plain = Settings()
    assert plain.digest() == Settings().digest()
    assert Settings(topn=TopNSettings(n=7)).digest() != plain.digest()
    assert Settings(features=FeatureSettings(weights={"view": 1})).digest() != plain.digest()
    assert set(plain.public()) == set(Settings.model_fields) - {"redis_url"}


def test_settings_cannot_be_changed_under_way() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().topn = TopNSettings(n=1)


def test_what_is_learnt_from_is_not_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    toml("[features.weights]\nview = 1.0\nimpression = 0.1\n")
    assert "events.idle has impression, which features uses" in refusal()
    monkeypatch.setenv("NIGHTSHELF_EVENTS__IDLE", "[]")
    assert Settings().features.weights["impression"] == 0.1
