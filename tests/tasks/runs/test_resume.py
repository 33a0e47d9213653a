"""A night that starts again: what it takes over, what it must not, and that nothing is shared."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from tasks.features.build import build_features
from tasks.features.settings import FeatureSettings
from tasks.ingest.clean import clean_events
from tasks.ingest.contract import Inputs, InputSettings, check_inputs
from tasks.models.als.settings import TrainSettings
from tasks.models.registry import train_als
from tasks.runs import resume
from tasks.runs.resume import Taken, adopt, take_over, take_over_rest
from tasks.runs.run_folder import Run
from tests.tasks.logs import ANY_SHARE, AS_OF, NOW, event, item, read, write

STEPS = ["clean_events", "build_features", "train_als"]
TRAINING = TrainSettings(factors=2, iterations=1)


@dataclass
class Night:
    """A small log on disk, and nights over it."""

    root: Path
    config: str = "c0ffee"

    def __post_init__(self) -> None:
        for day in (1, 2):
            rows = [event(user_id=f"u{user}", item_id=f"i{user % 2}") for user in range(2 + day)]
            write(self.log / f"date=2026-02-0{day}/part.parquet", rows)
        write(self.root / "items.parquet", [item("i0"), item("i1")])

    @property
    def log(self) -> Path:
        return self.root / "log"

    @property
    def inputs(self) -> Inputs:
        return check_inputs(self.log, self.root / "items.parquet", None, InputSettings())

    def run(self, generation: int) -> Run:
        return Run("shop", generation, AS_OF, self.root / "runs")

    def begin(self, generation: int) -> tuple[Run, Taken]:
        run = self.run(generation)
        return run, take_over(run, self.inputs.digests, self.config)

    def broken_off(self, generation: int, n_steps: int) -> Run:
        """Run a night that ends after so many computed steps."""
        run, _ = self.begin(generation)
        work(run, self.inputs, n_steps)
        return run


def work(run: Run, inputs: Inputs, n_steps: int = len(STEPS)) -> dict[str, bytes]:
    """Do the first steps of a night; return what they leave, by its path in the run's folder."""
    records: list[object] = []
    if n_steps > 0:
        records.append(log := clean_events(run, inputs, ANY_SHARE, now=NOW))
    if n_steps > 1:
        records.append(features := build_features(run, log, FeatureSettings()))
    if n_steps > 2:
        records.append(train_als(run, features, TRAINING))
    paths = [value for record in records for value in vars(record).values()]
    files = [path for path in paths if isinstance(path, Path)]
    return {str(path.relative_to(run.folder)): path.read_bytes() for path in files}


def names(run: Run, *, taken: bool) -> list[str]:
    """Return the computed steps of a run's journal: those taken over, or its own."""
    lines = [line for line in run.journal() if "record" in line]
    return [line["step"] for line in lines if ("taken_from" in line) == taken]


@pytest.fixture
def night(tmp_path: Path) -> Night:
    return Night(tmp_path)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spare the hash of the code where many nights begin."""
    monkeypatch.setattr(resume, "_code_hash", lambda: "code")


@pytest.mark.parametrize("n_steps", range(1, len(STEPS) + 1))
def test_finished_steps_are_taken_over_and_the_rest_is_done(night: Night, n_steps: int) -> None:
    whole = work(replace(night.run(1), namespace="whole"), night.inputs)
    first = night.broken_off(1, n_steps)
    run, taken = night.begin(2)
    assert taken == Taken(n_steps, first.generation)
    assert work(run, night.inputs) == whole
    assert names(run, taken=True) == STEPS[:n_steps]
    assert names(run, taken=False) == STEPS[n_steps:]


def test_the_first_night_of_all_takes_nothing(night: Night) -> None:
    run, taken = night.begin(1)
    assert taken == Taken(0, None)
    assert [line["step"] for line in run.steps()] == ["take_over"]


def test_events_that_are_later_than_the_night_cost_the_clean_log_alone(night: Night) -> None:
    whole = work(replace(night.run(1), namespace="whole"), night.inputs)
    night.broken_off(1, 3)
    later = event(ts=AS_OF + timedelta(minutes=1))
    write(night.log / "date=2026-02-03/collected.parquet", [later])
    (night.log / "date=2026-02-01/part.parquet").rename(night.log / "date=2026-02-01/p2.parquet")
    run, taken = night.begin(2)
    assert taken == Taken(0, None)
    clean_events(run, night.inputs, ANY_SHARE, now=NOW)
    assert take_over_rest(run) == Taken(2, 1)
    assert names(run, taken=True) == STEPS[1:]
    run, taken = night.begin(3)
    assert taken == Taken(3, 2)
    assert take_over_rest(run) == Taken(0, None)
    made = work(run, night.inputs)
    assert {**made, "quarantine.parquet": b""} == {**whole, "quarantine.parquet": b""}


def test_an_event_that_the_night_sees_makes_the_rest_anew(night: Night) -> None:
    night.broken_off(1, 3)
    write(
        night.log / "date=2026-02-02/collected.parquet",
        [event(ts=AS_OF - timedelta(microseconds=1))],
    )
    run, _ = night.begin(2)
    clean_events(run, night.inputs, ANY_SHARE, now=NOW)
    assert take_over_rest(run) == Taken(0, None)


def test_other_settings_make_the_rest_anew_too(night: Night) -> None:
    night.broken_off(1, 3)
    write(night.log / "date=2026-02-03/collected.parquet", [event(ts=AS_OF + timedelta(hours=1))])
    night.config = "decaf"
    run, _ = night.begin(2)
    clean_events(run, night.inputs, ANY_SHARE, now=NOW)
    assert take_over_rest(run) == Taken(0, None)


def test_what_was_taken_is_handed_on_as_it_was_with_paths_of_its_own(night: Night) -> None:
    first, _ = night.begin(1)
    log = clean_events(first, night.inputs, ANY_SHARE, now=NOW)
    second, _ = night.begin(2)
    again = clean_events(second, night.inputs, ANY_SHARE, now=NOW)
    assert vars(again) == {
        name: second.folder / value.relative_to(first.folder) if isinstance(value, Path) else value
        for name, value in vars(log).items()
    }
    assert again.events.parent == second.folder


def another_event(night: Night) -> None:
    write(night.log / "date=2026-02-01/part.parquet", [event(user_id="u9")])


def another_file(night: Night) -> None:
    write(night.log / "date=2026-02-03/part.parquet", [event()])


def a_file_less(night: Night) -> None:
    (night.log / "date=2026-02-01/part.parquet").unlink()


def another_item(night: Night) -> None:
    write(night.root / "items.parquet", [item("i0"), item("i1", category="toys")])


def another_setting(night: Night) -> None:
    night.config = "decaf"


@pytest.mark.parametrize(
    "change", [another_event, another_file, a_file_less, another_item, another_setting]
)
def test_another_input_or_setting_takes_nothing_over(
    night: Night, change: Callable[[Night], None]
) -> None:
    night.broken_off(1, 2)
    change(night)
    assert night.begin(2)[1] == Taken(0, None)


def test_users_that_were_not_there_before_take_nothing_over(night: Night) -> None:
    night.broken_off(1, 2)
    users = write(night.root / "users.parquet", [{"user_id": "u1"}])
    inputs = check_inputs(night.log, night.root / "items.parquet", users, InputSettings())
    assert take_over(night.run(2), inputs.digests, night.config) == Taken(0, None)


def test_another_instant_takes_nothing_over(night: Night) -> None:
    night.broken_off(1, 2)
    later = replace(night.run(2), as_of=AS_OF + timedelta(seconds=1))
    assert take_over(later, night.inputs.digests, night.config) == Taken(0, None)


def test_another_namespace_takes_nothing_over(night: Night) -> None:
    night.broken_off(1, 2)
    other = replace(night.run(2), namespace="homepage")
    assert take_over(other, night.inputs.digests, night.config) == Taken(0, None)


def test_other_code_takes_nothing_over(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    night.broken_off(1, 2)
    monkeypatch.setattr(resume, "_code_hash", lambda: "mended")
    assert night.begin(2)[1] == Taken(0, None)


@pytest.mark.parametrize("name", ["ingest/clean.py", "ingest/sql/clean_events.sql", "new.py"])
def test_the_hash_of_the_code_sees_every_statement(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    shutil.copytree(Path(resume.__file__).parents[1], tmp_path / "tasks")
    monkeypatch.setattr(resume, "__file__", str(tmp_path / "tasks/runs/resume.py"))
    before = resume._code_hash()
    assert resume._code_hash() == before
    with (tmp_path / "tasks" / name).open("a") as code:
        code.write("\n")
    assert resume._code_hash() != before


def test_the_hash_of_the_code_sees_another_library(monkeypatch: pytest.MonkeyPatch) -> None:
    before = resume._code_hash()
    monkeypatch.setattr(resume, "distributions", list)
    assert resume._code_hash() != before


def test_a_log_that_was_moved_or_touched_is_the_same_log(night: Night) -> None:
    night.broken_off(1, 2)
    moved = night.root / "moved"
    night.log.rename(moved)
    for file in moved.rglob("*.parquet"):
        file.touch()
    inputs = check_inputs(moved, night.root / "items.parquet", None, InputSettings())
    assert take_over(night.run(2), inputs.digests, night.config) == Taken(2, 1)


def test_a_night_that_finished_is_made_anew(night: Night) -> None:
    night.broken_off(1, 3).note("write_report", 0.0, None)
    assert night.begin(2)[1] == Taken(0, None)


def test_what_broke_off_before_a_finished_night_is_left_and_after_it_taken(night: Night) -> None:
    night.broken_off(1, 3)
    night.broken_off(2, 3).note("write_report", 0.0, None)
    night.broken_off(3, 1)
    assert night.begin(4)[1] == Taken(1, 3)


@pytest.mark.parametrize(
    ("done", "source"),
    [
        ({1: 2, 2: 1}, 1),
        ({1: 1, 2: 2}, 2),
        ({1: 2, 2: 2}, 2),
        ({9: 1, 10: 1}, 10),
        ({1: 1, 2: 0}, 1),
    ],
)
def test_the_run_that_got_furthest_is_taken_the_newest_of_equals(
    night: Night, done: dict[int, int], source: int
) -> None:
    for generation in done:
        night.begin(generation)  # before any has finished a step: none takes from another
    for generation, n_steps in done.items():
        work(night.run(generation), night.inputs, n_steps)
    assert night.begin(11)[1] == Taken(done[source], source)


def test_folders_that_are_no_runs_are_passed_over(night: Night) -> None:
    first = night.broken_off(1, 1)
    for name in ("1.bak", "latest", "²"):
        shutil.copytree(first.folder, first.folder.parent / name)
    assert night.begin(2)[1] == Taken(1, 1)


@pytest.mark.usefixtures("quick")
def test_a_journal_cut_short_anywhere_gives_its_whole_lines(night: Night) -> None:
    first = night.broken_off(1, 2)
    journal = first.path("steps.jsonl").read_bytes()
    ends = [at for at, byte in enumerate(journal, start=1) if byte == ord("\n")]
    assert len(ends) == 3, "take_over, clean_events, build_features"
    for length in {*range(0, len(journal), 97), *ends, *(end - 1 for end in ends)}:
        first.path("steps.jsonl").write_bytes(journal[:length])
        n_steps = max(sum(end <= length for end in ends) - 1, 0)
        shutil.rmtree(night.run(2).folder, ignore_errors=True)
        assert night.begin(2)[1] == Taken(n_steps, 1 if n_steps else None)


@pytest.mark.usefixtures("quick")
def test_a_made_from_cut_short_anywhere_takes_nothing_over(night: Night) -> None:
    path = night.broken_off(1, 1).path("made_from.json")
    content = path.read_bytes()
    for length in range(len(content.rstrip())):
        path.write_bytes(content[:length])
        shutil.rmtree(night.run(2).folder, ignore_errors=True)
        assert night.begin(2)[1] == Taken(0, None)


def test_a_chain_of_crashes_computes_each_step_once(night: Night) -> None:
    whole = work(replace(night.run(1), namespace="whole"), night.inputs)
    for generation in (1, 2, 3):
        assert night.begin(generation)[1].n_steps == generation - 1
        work(night.run(generation), night.inputs, generation)
        assert names(night.run(generation), taken=False) == [STEPS[generation - 1]]
    for generation in (1, 2):
        shutil.rmtree(night.run(generation).folder)
    run, taken = night.begin(4)
    assert taken == Taken(3, 3)
    assert work(run, night.inputs) == whole
    assert [line["taken_from"] for line in run.journal() if "record" in line] == [1, 2, 3], (
        "the journal says which run computed a step"
    )


@pytest.mark.parametrize("deleted", [1, 2])
def test_either_folder_can_be_deleted(night: Night, deleted: int) -> None:
    night.broken_off(1, 3)
    night.begin(2)
    before = work(night.run(2), night.inputs)
    shutil.rmtree(night.run(deleted).folder)
    left = night.run(3 - deleted)
    assert {name: (left.folder / name).read_bytes() for name in before} == before
    assert night.begin(3)[1] == Taken(3, 3 - deleted)


def test_a_file_taken_over_is_the_same_file(night: Night) -> None:
    first = night.broken_off(1, 1)
    second, _ = night.begin(2)
    for name in ("events.parquet", "items.parquet", "users.parquet", "quarantine.parquet"):
        assert (second.folder / name).samefile(first.folder / name), "no byte is written twice"


def test_where_there_are_no_links_files_are_copied(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError("Operation not supported")

    first = night.broken_off(1, 1)
    monkeypatch.setattr("tasks.runs.resume.os.link", refuse)
    second, taken = night.begin(2)
    assert taken == Taken(1, 1)
    one, two = (run.folder / "events.parquet" for run in (first, second))
    assert not two.samefile(one)
    assert two.read_bytes() == one.read_bytes()
    one.write_bytes(b"")
    assert read(two)


def missing(path: Path) -> None:
    path.unlink()


def empty(path: Path) -> None:
    path.write_bytes(b"")


def altered(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [missing, empty, altered])
@pytest.mark.parametrize(
    ("file", "n_intact"),
    [("users.parquet", 0), ("features/seen.npz", 1), ("model/als/settings.json", 2)],
)
def test_what_is_damaged_since_is_computed_again_with_all_after_it(
    night: Night, damage: Callable[[Path], None], file: str, n_intact: int
) -> None:
    whole = work(replace(night.run(1), namespace="whole"), night.inputs)
    damage(night.broken_off(1, 3).folder / file)
    run, taken = night.begin(2)
    assert taken == Taken(n_intact, 1)
    assert work(run, night.inputs) == whole
    assert names(run, taken=False) == STEPS[n_intact:]


@pytest.mark.parametrize("n_links", [0, 1, 5, 9])
def test_a_crash_while_taking_over_loses_nothing(
    night: Night, monkeypatch: pytest.MonkeyPatch, n_links: int
) -> None:
    whole = work(replace(night.run(1), namespace="whole"), night.inputs)
    night.broken_off(1, 3)
    link, linked = resume.link, []

    def dying(source: Path, target: Path) -> None:
        linked.append(target)
        if len(linked) > n_links:
            raise SystemExit
        link(source, target)

    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr(resume, "link", dying)
        night.begin(2)
    run, taken = night.begin(3)
    assert taken == Taken(3, 1)
    assert work(run, night.inputs) == whole


def test_a_run_adopts_any_other_once_asked(night: Night) -> None:
    source, target = night.broken_off(1, 2), night.run(7)
    assert adopt(target, source) == 2
    assert names(target, taken=True) == STEPS[:2]
