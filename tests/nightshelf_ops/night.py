"""A small whole night, published to a real server, with somebody in it for every answer.

`u00` to `u11` have lists; `done` has liked all that there is; `mute` (segment gold) is known by the
users file alone. `i18` is unavailable; `i19` has neither an event nor content.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from pathlib import Path

from redis import Redis

from nightshelf.admin import generations
from nightshelf.contract.experiment import Experiment
from nightshelf.contract.keys import Keys
from nightshelf.contract.values import Manifest
from tasks.artifacts.records import GenerationFiles, Provenance
from tasks.features.count_popularity import count_popularity
from tasks.features.serving_rules import counting_of
from tasks.ingest.settings import EventSettings
from tasks.models.als.settings import TrainSettings
from tasks.models.blend.settings import BlendParts, BlendSettings
from tasks.models.graph.settings import GraphSettings
from tasks.models.ials.settings import IalsSettings
from tasks.models.registry import MODELS
from tasks.models.slim.settings import SlimSettings
from tasks.publish.go_live import flip
from tasks.publish.keyspace import families
from tasks.publish.settings import PublishSettings
from tasks.publish.stage import open_run, read_back, stage
from tasks.recommend.popularity import popular_lists
from tasks.recommend.settings import PopularitySettings, SimilarSettings, TopNSettings
from tasks.recommend.similar_items import similar_items
from tasks.recommend.topn import LIST_STEPS, top_n
from tasks.runs.run_folder import Run
from tests.tasks.small_models import AS_OF, Event, learn, weighing

TTL_S = 3_600
ITEMS = {f"i{at:02}": {"category": f"c{at % 4}", "available": at != 18} for at in range(20)}
ITEMS["i19"]["category"] = "unknown"
USERS = [f"u{at:02}" for at in range(12)]
SEGMENTS = {"mute": "gold", "u00": "gold"}
RULES = TopNSettings(n=6, page_size=3, max_per_category=1)
TRAINING = TrainSettings(factors=8, iterations=5)
WEIGHTS = {"view": 1.0, "like": 4.0, "dislike": -3.0}
SEEN = ("like", "dislike")
#: Settings of the models that a night can be made with.
MODEL_SETTINGS = {
    "als": TRAINING,
    "graph": GraphSettings(),
    "blend": BlendParts(
        TRAINING,
        IalsSettings(),
        BlendSettings(1.0, 1.0, 1.0, factors="als"),
        SlimSettings(),
    ),
}
PASSED = {"coverage_ratio": "pass"}


def events() -> list[Event]:
    """Give each user six items, the last of them liked, and one that is disliked."""
    made = []
    for at, user in enumerate(USERS):
        near = [f"i{(at // 3 * 4 + step * (1 + at % 3)) % 19:02}" for step in range(7)]
        kinds = ["view"] * 5 + ["like", "dislike"]
        made += [(user, item, kind, AS_OF) for item, kind in zip(near, kinds, strict=True)]
    everything = [("done", item, "like", AS_OF) for item in ITEMS if item not in ("i18", "i19")]
    return [(*event[:3], AS_OF - timedelta(hours=30)) for event in (*made, *everything)]


def make_night(
    client: Redis,
    root: Path,
    *,
    as_of: datetime = AS_OF,
    gates: Mapping[str, str] = PASSED,
    live: bool = True,
    model: str = "als",
    further: Sequence[str] = (),
    experiments: tuple[Experiment, ...] = (),
) -> Run:
    """Compute, stage, judge as told, and make live; `further` models are published beside."""
    run = open_run(client, "shop", as_of, root)
    learnt = learn(
        root,
        events(),
        ITEMS,
        SEGMENTS,
        seen=SEEN,
        weights=WEIGHTS,
        generation=run.generation,
    )
    features = learnt.features
    weighs = weighing(SEEN, WEIGHTS)
    popularity = count_popularity(run, learnt.log, 7.0, weighs)
    train = MODELS[model].train
    trained = train(run, features, MODEL_SETTINGS[model], None, popularity)
    lists = {model: top_n(run, features, trained, RULES).path}
    for name in further:
        beside = MODELS[name].train(run, features, MODEL_SETTINGS[name], None, popularity)
        lists[name] = LIST_STEPS[name](run, features, beside, RULES).path
    popular = popular_lists(run, learnt.log, features, PopularitySettings(), RULES, weighs)
    like = similar_items(run, features, trained, SimilarSettings(n=4), RULES)
    settings = {"topn": asdict(RULES), "train": asdict(TRAINING), "features": asdict(weighs)}
    run.path("settings.json").write_text(json.dumps(settings))
    files = GenerationFiles(lists, popular.path, like.path, features.users, features.items)
    shelves = families(run, files)
    publishing = PublishSettings(ttl_s=TTL_S)
    counting = counting_of(EventSettings(), weighs)
    made_from = Provenance(
        RULES.n, "c0ffee", trained.digest, {"events": "5eed"}, counting, None, experiments
    )
    staged = stage(run, client, shelves, publishing, made_from)
    read_back(run, client, shelves, staged, publishing)
    manifest = Manifest.from_json(staged.manifest.read_bytes())
    judged = replace(manifest, metrics={"coverage": 0.5}, gates=dict(gates))
    generations.stage(client, "shop", judged)
    staged.manifest.write_bytes(judged.to_json())
    if live:
        flip(run, client)
    return run


def contents(client: Redis, generation: int) -> dict[str, object]:
    """Return a generation's values by what follows its prefix."""
    prefix = Keys("shop").prefix(generation)
    keys = sorted(key.decode() for key in client.scan_iter(match=f"{prefix}*"))
    return {key.removeprefix(prefix): client.get(key) for key in keys}
