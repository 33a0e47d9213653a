"""Validation of inputs and settings as a night does it, with all findings at once.

It runs the night's first two steps and writes nothing but, if asked, the bad rows.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pyarrow.parquet as pq

from nightshelf.client.transport.address import parse_address
from nightshelf.contract.keys import Keys
from nightshelf.errors import InvalidKey
from tasks.errors import SettingsError
from tasks.experiments.load import load_experiments
from tasks.features.settings import FeatureSettings
from tasks.features.teaching import nothing_to_learn, uncategorised_words, unweighed_words
from tasks.ingest.contract import Inputs, Relation, examine_inputs
from tasks.ingest.findings import find_all
from tasks.ingest.validate import Validation, validate
from tasks.io.duckdb_session import connect, query, write_query
from tasks.io.memory import limit_memory
from tasks.runs.run_folder import Run, midnight
from tasks.settings import Settings, load_settings
from tasks.spark.engine import check_engine


@dataclass(frozen=True)
class Counted:
    """Rows of one relation: in its files, idle, later than `as_of`, bad, good."""

    relation: str
    n_files: int
    n_rows: int
    n_idle: int = 0
    n_later: int = 0
    n_bad: int = 0
    n_good: int = 0


@dataclass
class Checked:
    """Findings: `errors` would end a night, `warnings` would stand in its report.

    `rows` are counted if the files can be read; good rows are counted before deduplication.
    """

    as_of: datetime
    rows: list[Counted] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def check(
    events: Path,
    items: Path,
    users: Path | None,
    namespace: str,
    as_of: datetime | None,
    config: Path | None = None,
    quarantine: Path | None = None,
) -> Checked:
    """Validate the input of a night of these arguments; findings are returned, not raised.

    Bad rows are written to `quarantine`, if given.
    """
    checked = Checked(as_of or midnight())
    settings = _settings(checked, namespace, config)
    try:
        check_engine(settings.engine)
    except SettingsError as error:
        checked.errors.append(str(error))
    inputs = examine_inputs(events, items, users, settings.inputs, hashed=False)
    checked.errors += inputs.problems
    checked.warnings += inputs.notes
    if settings.engine.name != "duckdb" and not quarantine:
        checked.rows += [
            _files(relation) for relation in inputs.relations
        ]  # rows are for executors
    elif inputs.events.groups and inputs.items.groups and not inputs.items.problems:
        try:
            _validate_rows(checked, inputs, settings, quarantine)
        except (duckdb.Error, OSError) as error:
            checked.errors.append(f"the rows cannot be validated: {error}")
    else:
        checked.rows += [_files(relation) for relation in inputs.relations]
    return checked


def _settings(checked: Checked, namespace: str, config: Path | None) -> Settings:
    """Return the settings; the defaults if they are wrong, so that the rest can be validated."""
    try:
        Keys(namespace)
    except InvalidKey as error:
        checked.errors.append(str(error))
    try:
        load_experiments(namespace, config)
    except SettingsError as error:
        checked.errors += str(error).splitlines()
    try:
        settings = load_settings(namespace, config)
    except SettingsError as error:
        checked.errors.append(str(error))
        return Settings.model_construct()
    limit_memory(settings.machine)
    checked.warnings += (f"{doubt}." for doubt in settings.features.doubts())
    try:
        parse_address(settings.redis_url.get_secret_value())
    except ValueError as error:
        checked.errors.append(f"REDIS_URL: {error}")
    return settings


def _validate_rows(
    checked: Checked, inputs: Inputs, settings: Settings, quarantine: Path | None
) -> None:
    with TemporaryDirectory(prefix="nightshelf-check-") as folder:
        run = Run("check", 1, checked.as_of, Path(folder))
        with connect(run.folder) as db:
            now = datetime.now(UTC)
            validated = validate(db, inputs, settings.events, checked.as_of, now)
            checked.rows += [_counted(relation, validated) for relation in inputs.relations]
            if too_many := validated.too_many(settings.events.max_bad_share):
                checked.errors.append(f"{too_many}. {_samples(db)}")
            elif validated.reasons:
                checked.warnings.append(f"bad rows go to quarantine: {_samples(db)}")
            checked.warnings += find_all(db, checked.as_of, validated.rows["events"][""])
            _teaching(checked, db, settings.features)
            if quarantine:
                write_query(db, query("ingest/quarantine"), quarantine, {})


def _files(relation: Relation) -> Counted:
    files = [file for group in relation.groups for file in group.files]
    n_rows = sum(pq.read_metadata(file).num_rows for file in files)
    return Counted(relation.name, len(files), n_rows)


def _counted(relation: Relation, validated: Validation) -> Counted:
    files, name = _files(relation), relation.name
    n_up_to = validated.n_up_to(name)
    n_bad = validated.bad(name).total()
    return Counted(
        name,
        files.n_files,
        files.n_rows,
        n_idle=validated.n_idle if name == "events" else 0,
        n_later=validated.rows[name].total() - n_up_to,
        n_bad=n_bad,
        n_good=n_up_to - n_bad,
    )


def _samples(db: duckdb.DuckDBPyConnection) -> str:
    """Return the first bad row of each relation and reason."""
    rows = db.execute(query("ingest/find_bad")).fetchall()
    return "; ".join(
        f"{relation}: {n:,} for '{reason}', as row {row} of {file}: {record}"
        for relation, reason, n, file, row, record in rows
    )


def _teaching(checked: Checked, db: duckdb.DuckDBPyConnection, settings: FeatureSettings) -> None:
    """Check that the good events have weights, and name the types without."""
    sql = "SELECT event_type, count(*) FROM good_events GROUP BY ALL ORDER BY 2 DESC, 1"
    types: Mapping[str, int] = dict(db.execute(sql).fetchall())
    if not any(settings.weights.get(kind, 0) > 0 for kind in types):
        checked.errors.append(nothing_to_learn("events", checked.as_of, types, settings))
        return
    checked.warnings += (f"events: {said}" for said in unweighed_words(types, settings))
    sql = f"SELECT count_if(category = 'unknown'), count(*) FROM ({query('ingest/clean_items')})"  # noqa: S608
    n_unknown, n_items = db.execute(sql, {"as_of": checked.as_of}).fetchall()[0]
    checked.warnings += (f"items: {said}" for said in uncategorised_words(n_unknown, n_items))
