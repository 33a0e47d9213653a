"""The search: seeded, resumed, within its budget, judged on later days, and never silent."""

import tomllib
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.choose.rule import Figures, Objective
from tasks.choose.settings import ChooseSettings
from tasks.errors import SettingsError
from tasks.features.settings import FeatureSettings
from tasks.ingest.clean import clean_events
from tasks.ingest.contract import Inputs, InputSettings, check_inputs
from tasks.models.ials.settings import IalsSettings
from tasks.runs.run_folder import Run
from tasks.settings import Settings, load_settings
from tasks.tuning.objective import Window, Windows, open_windows
from tasks.tuning.page import pictures, to_markdown
from tasks.tuning.search import Budget, Trial, best_of, search
from tasks.tuning.search_space import SPACE, in_space, values_of, with_values
from tasks.tuning.tune import STUDIES, Ask, Judged, Tuned, tune
from tasks.tuning.tuned_file import save, text_of
from tests.tasks.logs import AS_OF, event, item, write

SETTINGS = Settings(ials=IalsSettings(factors=16, iterations=2))
CURRENT = values_of(SETTINGS)


def bowl(values: Any) -> float:
    """Peak at alpha 8, whatever else."""
    return float(-abs(np.log(values["ials.alpha"] / 8)))


def run(path: Path, n_trials: int, seed: int = 1, seconds: float = 60) -> list[tuple[Any, float]]:
    trials = search(path, "study", bowl, CURRENT, Budget(seconds, n_trials), seed=seed)
    assert [trial.number for trial in trials] == list(range(len(trials)))
    return [(trial.values, trial.figure) for trial in trials]


def test_a_seed_gives_equal_trials_and_the_current_values_come_first(tmp_path: Path) -> None:
    found = run(tmp_path / "a.sqlite3", 6)
    assert found == run(tmp_path / "b.sqlite3", 6)
    assert found != run(tmp_path / "c.sqlite3", 6, seed=2)
    assert found[0][0] == CURRENT
    assert all(in_space(values) for values, _ in found)


def test_an_interrupted_search_goes_on_as_it_would_have(tmp_path: Path) -> None:
    whole = run(tmp_path / "whole.sqlite3", 6)
    parts = tmp_path / "parts.sqlite3"
    assert run(parts, 2) == whole[:2]

    def fails(values: Any) -> float:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search(parts, "study", fails, CURRENT, Budget(60, 6), seed=1)
    assert run(parts, 6) == whole
    assert run(parts, 3) == whole, "as many as there are"


def test_no_trial_is_begun_that_would_end_after_the_budget(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr("tasks.tuning.search.time.monotonic", lambda: clock[0])

    def slow(values: Any) -> float:
        clock[0] += 10
        return 0.0

    assert len(search(tmp_path / "s", "study", slow, CURRENT, Budget(35), seed=1)) == 3
    assert clock[0] <= 35


def test_values_outside_the_space_are_not_tried(tmp_path: Path) -> None:
    odd = CURRENT | {"ials.factors": 33}
    assert in_space(CURRENT)
    assert not in_space(odd)
    trials = search(tmp_path / "s", "study", bowl, odd, Budget(60, 2), seed=1)
    assert all(in_space(trial.values) for trial in trials)


def test_every_value_of_the_space_is_a_setting() -> None:
    changed = with_values(SETTINGS, CURRENT | {"ials.alpha": 7.5, "features.half_life_days": 15.0})
    assert (changed.ials.alpha, changed.features.half_life_days) == (7.5, 15.0)
    assert changed.ials.iterations == SETTINGS.ials.iterations
    assert set(values_of(changed)) == set(SPACE)


def test_the_first_of_equal_trials_is_the_best() -> None:
    trials = [Trial(n, {}, figure, 0.1) for n, figure in enumerate((0.1, 0.3, 0.3))]
    assert best_of(trials).number == 1


def make_files(root: Path) -> tuple[Path, Path]:
    """Write four weeks of two groups of users, each with items of its own: events and items."""
    rng = np.random.default_rng(2)
    events = []
    for n in range(1_500):
        user = int(rng.integers(60))
        shown = int(rng.integers(20)) + 20 * (user % 2)
        ts = AS_OF - timedelta(hours=float(rng.random() * 24 * 28))
        row = event(user_id=f"u{user:02}", item_id=f"i{shown:02}", event_type="view", ts=ts)
        events.append(row | {"event_id": f"e{n}"})
    items = [item(f"i{n:02}", category=f"c{n % 5}", created_at=None) for n in range(40)]
    return write(root / "events.parquet", events), write(root / "items.parquet", items)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    return check_inputs(*make_files(tmp_path_factory.mktemp("log")), None, InputSettings())


def tuned_by(inputs: Inputs, root: Path, **terms: Any) -> Tuned:
    ask = Ask(**{"minutes": 5.0, "trials": 2, "days": 5, "n_users": 20} | terms)
    return tune(inputs, lenient(SETTINGS), "shop", AS_OF, root, ask)


def lenient(settings: Settings) -> Settings:
    """Let a few users judge, and items be listed that users have only viewed."""
    changed = {
        "features": FeatureSettings(seen=("purchase",)),
        "choose": ChooseSettings(least_judged=10),
    }
    return settings.model_copy(update=changed)


def test_the_result_is_judged_on_later_events_than_it_was_tuned_on(
    inputs: Inputs, tmp_path: Path
) -> None:
    first = tuned_by(inputs, tmp_path)
    assert len(first.trials) == 2
    for part in ("by time", "last event"):
        assert 0 < first.n_tuned[part] <= 20
        assert 0 < first.n_judged[part] <= 20
        gain = first.after[part].mean - first.before[part].mean
        assert first.difference[part].mean == pytest.approx(gain)
        assert 0 < first.before[part].error < 0.1
    parts = [each.mean / first.before[part].mean for part, each in first.difference.items()]
    assert first.gain.mean == pytest.approx(np.mean(parts))
    assert first.trials[0].figure == pytest.approx(1.0), "the night's choice, over itself"
    assert first.values == best_of(list(first.trials)).values
    assert [path.name for path in (tmp_path / "shop").iterdir()] == [STUDIES], "nothing else stays"
    again = tuned_by(inputs, tmp_path / "other")
    plain = [(trial.values, trial.figure) for trial in first.trials]
    assert [(trial.values, trial.figure) for trial in again.trials] == plain
    assert (again.before, again.after, again.gain) == (first.before, first.after, first.gain)

    more = tuned_by(inputs, tmp_path, trials=3)
    assert [(trial.values, trial.figure) for trial in more.trials[:2]] == plain
    other = tuned_by(inputs, tmp_path, n_users=15, trials=1)
    assert len(other.trials) == 1, "other terms are another search"


def test_nothing_that_judges_later_is_known_to_the_trials(inputs: Inputs, tmp_path: Path) -> None:
    run = Run("shop", 1, AS_OF, tmp_path)
    log = clean_events(run, inputs, SETTINGS.events, now=AS_OF)
    windows = open_windows(run, log, lenient(SETTINGS), 5, 20)
    later, earlier = (w.backtest.splits for w in (windows.later, windows.earlier))
    assert later.run.as_of == AS_OF - timedelta(days=5) == earlier.run.as_of + timedelta(days=5)
    learnt, known = (pairs_of(pq.read_table(each.known.events)) for each in (earlier, later))
    assert learnt < known
    for splits, seen in ((earlier, learnt), (later, known)):
        for split in splits.by_protocol.values():
            users = split.user_ids.to_pylist()
            items = zip(split.rows.tolist(), split.item_ids.to_pylist(), strict=True)
            held_out = {(users[row], item) for row, item in items}
            assert held_out
            if split is splits.by_protocol["last event"]:
                assert not held_out & seen
    held_earlier = {
        (split.user_ids.to_pylist()[row], item)
        for split in earlier.by_protocol.values()
        for row, item in zip(split.rows.tolist(), split.item_ids.to_pylist(), strict=True)
    }
    assert held_earlier <= known, "the trials are judged by what the later window knows"


def pairs_of(events: pa.Table) -> set[tuple[str, str]]:
    users, items = (events.column(name).to_pylist() for name in ("user_id", "item_id"))
    return set(zip(users, items, strict=True))


def test_a_log_that_judges_by_time_alone_or_last_event_alone_is_tuned_by_that(
    inputs: Inputs, tmp_path: Path
) -> None:
    found = tuned_by(inputs, tmp_path, days=12, trials=1)  # over a quarter of the log
    assert list(found.n_judged) == list(found.n_tuned) == list(found.after) == ["last event"]
    assert "by time" not in text_of(found)
    assert "last event: the newest item of" in text_of(found)


def test_a_log_with_too_few_to_judge_is_refused(inputs: Inputs, tmp_path: Path) -> None:
    strict = lenient(SETTINGS).model_copy(update={"choose": ChooseSettings(least_judged=1_000)})
    with pytest.raises(SettingsError, match="200 with a history are enough"):
        tune(inputs, strict, "shop", AS_OF, tmp_path, Ask(trials=1, days=5))


def made(gain: float = 0.01, error: float = 0.002) -> Tuned:
    values = CURRENT | {"ials.alpha": 7.5, "features.half_life_days": 15.0}
    trials = (Trial(0, CURRENT, 1.0, 1.0), Trial(1, values, 1.1, 1.5))
    before, after, popular = (
        {"by time": Judged(mean, 0.003)} for mean in (0.08, 0.08 + gain, 0.07)
    )
    difference, more = {"by time": Judged(gain, error)}, Judged(gain / 0.08, error / 0.08)
    return Tuned(
        "shop", AS_OF, Ask(), trials, CURRENT, values, before, after, popular, difference, more,
        {"by time": 900}, {"by time": 800},
    )  # fmt: skip


def test_the_file_is_settings_with_their_evidence(tmp_path: Path) -> None:
    path = tmp_path / "found.toml"
    save(made(), path)
    settings = load_settings("shop", path)
    assert (settings.ials.alpha, settings.features.half_life_days) == (7.5, 15.0)
    assert set(tomllib.loads(path.read_text())) == {
        *("blend", "choose", "features", "ials", "slim"),
    }
    assert settings.choose.hold, "or the night would choose its own half-lives and weights"
    for words in (
        "NDCG@10, standard error in brackets, by time: 800 users in 7 days:",
        "the night's choice   0.0800 (0.0030)",
        "these settings       0.0900 (0.0030)",
        "difference          +0.0100 (0.0020)",
        "Of the night's choice +12.5 % (2.5).",
        "by what was held out before those, by time: 900 users in 7 days; seed 20260301.",
        f"alpha = 7.5  # without: {SETTINGS.ials.alpha:g}",
    ):
        assert words in path.read_text()
    assert "may be chance" not in path.read_text()
    assert "may be chance" in text_of(made(gain=0.003))


def test_what_lies_under_popularity_is_not_better_whatever_its_gain() -> None:
    fine = made()
    assert fine.better
    assert not fine.under
    behind = replace(
        fine,
        after={"by time": Judged(0.066, 0.003), "last event": Judged(0.3, 0.003)},
        popular={"by time": Judged(0.07, 0.003), "last event": Judged(0.1, 0.003)},
    )
    assert behind.under == ["by time"]
    assert not behind.better
    assert "Of the night's choice +12.5 % (2.5), but under the popular list by time." in text_of(
        behind
    )
    assert not replace(behind, after={"by time": Judged(0.068, 0.003)}).under, "within the noise"


def test_a_trial_under_popularity_is_worth_its_share_of_it() -> None:
    figures = {
        "popular": {"by time": np.full(9, 0.4), "last event": np.full(9, 0.1)},
        "night": {"by time": np.full(9, 0.5), "last event": np.full(9, 0.2)},
        "fits": {"by time": np.full(9, 0.3), "last event": np.full(9, 0.9)},
        "good": {"by time": np.full(9, 0.4), "last event": np.full(9, 0.3)},
    }

    @dataclass(frozen=True)
    class Fake(Window):
        def judge(self, settings: Any) -> Figures:
            return figures[settings]

    window: Any = Fake(None, ())  # type: ignore[arg-type]
    objective = Objective.of([figures["night"]])
    windows = Windows(window, window, SETTINGS, objective, figures["popular"])
    judged = {name: windows.figure(name) for name in figures}  # type: ignore[arg-type]
    assert judged["night"] == pytest.approx(1)
    assert judged["good"] == pytest.approx((0.4 / 0.5 + 0.3 / 0.2) / 2)
    assert judged["fits"] == pytest.approx(0.3 / 0.4)
    none = {**figures["popular"], "last event": np.zeros(9)}
    figures["nothing"] = {"by time": np.full(9, 0.1), "last event": np.zeros(9)}
    windows = replace(windows, popular=none)
    assert windows.figure("nothing") == pytest.approx(0.1 / 0.4)  # type: ignore[arg-type]


def test_no_file_is_overwritten_unasked_and_the_nights_own_never(tmp_path: Path) -> None:
    path = tmp_path / "found.toml"
    save(made(), path)
    before = path.read_text()
    with pytest.raises(SettingsError, match="--force overwrites it"):
        save(made(gain=0.02), path)
    assert path.read_text() == before
    save(made(gain=0.02), path, force=True)
    assert path.read_text() != before
    with pytest.raises(SettingsError, match="never writes"):
        save(made(), tmp_path / "nightshelf.toml", force=True)


def test_the_page_has_a_picture_a_setting_and_equal_bytes() -> None:
    assert len(pictures(made())) == 1 + len(SPACE)
    page = to_markdown(made())
    assert page == to_markdown(made())
    assert f"| ials.alpha | {SETTINGS.ials.alpha:g} | 7.5 |" in page
    assert "better, within noise" in to_markdown(made(gain=0.003))
    assert "no better" in to_markdown(replace(made(), gain=Judged(0.0, 0.0), trials=()))
