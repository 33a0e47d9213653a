"""New and cold items: how many a night's lists show, and whether users took them."""

from dataclasses import dataclass
from math import comb
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tasks.artifacts.factors import load_matrix
from tasks.artifacts.records import CleanLog, Features, Made
from tasks.features.build import open_log
from tasks.features.settings import FeatureSettings
from tasks.io.columns import AVAILABLE, ID, ITEM_ID
from tasks.io.duckdb_session import connect, one_file, query
from tasks.io.parquet import read_column
from tasks.recommend.rerank.exploration import load_new
from tasks.runs.run_folder import Run

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class NewItems:
    """Flags of the catalogue's available items (items,), in the order of `ids`.

    New are those that began within `topn.new_days`; cold those of the model without an event.
    """

    ids: pa.StringArray
    new: Flags
    cold: Flags


def new_items(run: Run, features: Features, new_days: int) -> NewItems:
    """Find the new and the cold items as of a run."""
    ids, available = (read_column(features.items, name) for name in (ITEM_ID, AVAILABLE))
    known = read_column(features.item_ids, ID)
    taken = np.bincount(load_matrix(features.interactions).indices, minlength=len(known)) > 0
    cold = np.isin(ids.to_numpy(zero_copy_only=False), known.filter(pa.array(~taken)))
    there = available.to_numpy(zero_copy_only=False)
    return NewItems(ids, there & load_new(features.items, ids, run.as_of, new_days), there & cold)


def taken_since(
    run: Run, then: Made, log: CleanLog, weighing: FeatureSettings, found: NewItems
) -> dict[str, float]:
    """Judge a past night's lists by the users who took a new or cold item after it.

    Returns `n_users`, and the share of them whose list held one such item (`hit_rate`), of the list
    `all` (`popular_hit_rate`), and of as many places filled at random (`chance`); nothing where
    there are no such users. Arguments are those of `ground_truth.outcome`.
    """
    since: dict[str, Any] = {"cut": run.as_of, "seen": list(weighing.seen)}
    own, popular = ({"path": one_file(each.path)} for each in (then.own, then.popular))
    fresh = pa.table({ITEM_ID: found.ids.filter(pa.array(found.new | found.cold))})
    with connect(run.folder) as db:
        open_log(db, log, weighing)
        db.from_arrow(fresh).create_view("new_items")
        db.read_parquet(one_file(then.own.path)).create_view("own_lists")
        db.execute(f"CREATE TEMP TABLE relevant AS {query('evaluation/relevant')}", since)
        for name, offered, given in (
            ("own_places", "offered_lists", own),
            ("popular_places", "offered_popular", popular | since),
        ):
            sql = query(f"evaluation/{offered}")
            db.execute(f"CREATE TEMP TABLE {name} AS {sql}", given)
        users = db.execute(query("evaluation/new_items_taken")).fetchnumpy()
        places = db.execute("SELECT median(len(item_ids)) FROM own_lists").fetchall()[0][0]
    n_users = len(users["n"])
    if not n_users:
        return {}
    n_items, n_places = then.features.n_items, int(places)
    draws = comb(n_items, n_places)
    missed = [comb(max(n_items - int(n), 0), n_places) / draws for n in users["n"]]
    return {
        "n_users": n_users,
        "hit_rate": float(np.mean(users["own"])),
        "popular_hit_rate": float(np.mean(users["popular"])),
        "chance": 1 - float(np.mean(missed)),
    }
