"""Publishing: stage every key of a new generation, read all of it back, then flip the pointer.

Until the flip nothing that a reader sees has changed, whatever fails (contract: `nightshelf`).
"""

from contextlib import closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pyarrow.parquet as pq
from redis import Redis, RedisError

from nightshelf.admin import generations
from nightshelf.admin.namespace_state import server_time
from nightshelf.client.core.failures import failure
from nightshelf.client.transport.connection import address, deadline_s
from nightshelf.contract.keys import Keys
from nightshelf.contract.values import Manifest
from tasks.artifacts.records import Provenance, ReadBack, Staged
from tasks.errors import RedisUnavailable, VerificationError
from tasks.publish.keyspace import Digest, Family
from tasks.publish.redis_client import refuse_cluster
from tasks.publish.send import encoded, opened, read_again, written
from tasks.publish.settings import PublishSettings
from tasks.publish.verify import check_sample
from tasks.runs.journal import step
from tasks.runs.run_folder import Progress, Run, highest_generation, no_progress

#: Ids that are read from a file together.
READ_ROWS = 2_500


def open_run(client: Redis, namespace: str, as_of: datetime, root: Path) -> Run:
    """Reserve the next generation number, above those of Redis and of the run folders.

    Raises `RedisUnavailable`, or `SettingsError` (`refuse_cluster`), before anything is computed.
    """
    refuse_cluster(client)
    above = highest_generation(root, namespace)
    try:
        generation = generations.allot(client, namespace, above=above)
    except RedisError as error:
        raise RedisUnavailable(
            f"Redis at {address(client)} does not take writes: {failure(error, deadline_s(client))}"
        ) from error
    return Run(namespace, generation, as_of, root)


@step
def stage(
    run: Run,
    client: Redis,
    shelves: tuple[Family, ...],
    settings: PublishSettings,
    made_from: Provenance,
    *,
    progress: Progress = no_progress,
) -> Staged:
    """Write every key of the generation with its TTL; readers do not see it yet."""
    models = [family.model for family in shelves if family.model]
    manifest = Manifest(
        generation=run.generation,
        as_of=run.as_of.isoformat(),
        staged_at=server_time(client).isoformat(timespec="seconds"),
        models=models,
        default_model=models[0],
        list_length=made_from.list_length,
        ttl_s=settings.ttl_s,
        config_hash=made_from.config_hash,
        model_hash=made_from.model_hash,
        inputs=dict(made_from.inputs),
        counting=made_from.counting,
        choice=made_from.choice,
        experiments=made_from.experiments,
    )
    generations.stage(client, run.namespace, manifest)
    total = sum(pq.read_metadata(family.path).num_rows for family in shelves)
    digest = Digest(Keys(run.namespace).prefix(run.generation))
    counts = {family.name: 0 for family in shelves}
    n_bytes = 0
    entries = encoded((family, family.batches()) for family in shelves)
    bounds = settings.max_batch_keys, settings.max_batch_bytes
    with (
        opened(client, settings.n_connections) as lines,
        closing(written(lines, entries, digest, settings.ttl_s, *bounds)) as batches,
    ):
        for batch in batches:
            for family, n in batch.counts.items():
                counts[family] += n
            n_bytes += batch.n_bytes
            progress(sum(counts.values()), total)
    manifest = replace(manifest, counts=counts, n_bytes=n_bytes, digest=digest.hexdigest())
    generations.stage(client, run.namespace, manifest)
    path = run.path("manifest.json")
    path.write_bytes(manifest.to_json() + b"\n")
    return Staged(path, total, n_bytes, manifest.digest)


@step
def read_back(
    run: Run,
    client: Redis,
    shelves: tuple[Family, ...],
    staged: Staged,
    settings: PublishSettings,
    *,
    progress: Progress = no_progress,
) -> ReadBack:
    """Read every staged key, prove the digest, and decode a sample of the lists as readers do.

    Raises `VerificationError` where a key is missing, a value differs, or a list of the sample is
    not the computed one.
    """
    digest = Digest(Keys(run.namespace).prefix(run.generation))
    n_keys = 0
    with opened(client, settings.n_connections) as lines:
        for family in shelves:
            for n_read in read_again(lines, family, family.id_arrays(READ_ROWS), digest):
                n_keys += n_read
                progress(n_keys, staged.n_keys)
    if digest.hexdigest() != staged.digest:
        raise VerificationError(
            f"generation {run.generation} of {run.namespace}: {n_keys:,} keys read back have "
            f"digest {digest.hexdigest()[:12]}, staged was {staged.digest[:12]}; the live "
            "generation is untouched. Is another program writing under this namespace?"
        )
    for family in shelves:
        if family.holds_lists:
            check_sample(client, family, first=run.generation)
    return ReadBack(n_keys, staged.digest)
