"""The state that each page's reader has, and stand-ins for what a test cannot have.

Every page begins with the sample shop, small, after two nights (generations 1 and 2), in a folder
that links to this checkout, with a Redis of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

SHOP = ".nightshelf/shop"
_NIGHT = (
    f"python -m flows.nightly --events {SHOP}/events --items {SHOP}/items.parquet "
    "--as-of 2026-03-01T00:00:00Z"
)
#: Users and items that the small shop lacks, and some that it has.
_IDS = {"u001548": "u000008", "i00574": "i00074", "i01313": "i00113"}
_IN_TWO_DAYS = (datetime.now(UTC) + timedelta(days=2)).date().isoformat()
_RATINGS = (
    "mkdir -p path/to/ml-latest-small && cd path/to/ml-latest-small && "
    "printf 'userId,movieId,rating,timestamp\\n1,1,4.5,964982703\\n' > ratings.csv && "
    "printf 'movieId,title,genres\\n1,Toy Story (1995),Comedy\\n' > movies.csv && "
    "printf 'userId,movieId,tag,timestamp\\n' > tags.csv"
)
_RETAIL = (
    "printf 'InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\\n"
    "536365,85123A,WHITE HANGER,6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom\\n"
    "536370,POST,POSTAGE,3,2010-12-01 08:45:00,18.0,12583.0,France\\n' "
    "| gzip > path/to/online_retail.csv.gz"
)
_ORDERS = (
    'python -c "from pathlib import Path; from data.sample_shop.csv_copy import write_csv; '
    f"write_csv(Path('{SHOP}'))\""
)
_FLUSH = "python -c \"import os, redis; redis.Redis.from_url(os.environ['REDIS']).flushall()\""
_FAULTY = 'sed \'s/traffic = 0.5 /traffic = 50 /; s/model = "als"/model = "alss"/\''


@dataclass(frozen=True)
class Given:
    """Needs of a page beyond the shop.

    - `before`: commands that run first.
    - `files`: files by name, each with the place of the page's TOML or text block that it holds.
    - `instead`: parts of commands, with what a test types in their place.
    - `fails`: beginnings of commands that end with an exit code other than 0, as the page says.
    - `prints`: beginnings of commands, with an expression that their output matches.
    """

    before: tuple[str, ...] = ()
    files: Mapping[str, int] = field(default_factory=dict)
    instead: Mapping[str, str] = field(default_factory=dict)
    fails: tuple[str, ...] = ()
    prints: Mapping[str, str] = field(default_factory=dict)


#: Commands (their beginnings) that other tests run, with the file and words of it that do.
ELSEWHERE = {
    "make demo": ("tests/e2e/test_readme.py", "make demo"),
    ".venv/bin/python -m local_system.up": ("tests/e2e/test_whole_system.py", "days"),
    "make up": ("tests/e2e/test_whole_system.py", "up"),
    "make spark-tools": ("tests/spark/conftest.py", "pyspark"),
    ".venv-spark/bin/python -m flows.nightly": ("tests/spark/test_flow.py", "flows.nightly"),
    "pip install ": ("tests/release/packages.py", "pip"),
    ".venv/bin/prefect server start": ("tests/e2e/test_prefect.py", '"server start"'),
    ".venv/bin/prefect work-pool create": ("tests/e2e/test_prefect.py", '"work-pool create"'),
    ".venv/bin/prefect --no-prompt deploy": ("tests/e2e/test_prefect.py", '"deploy --all"'),
    ".venv/bin/prefect worker start": ("tests/e2e/test_prefect.py", '"worker start"'),
    ".venv/bin/prefect deployment run": ("tests/e2e/test_prefect.py", '"deployment run"'),
    "nightshelf experiment plan --from-log": ("tests/nightshelf_ops/test_plan.py", "--from-log"),
    "nightshelf experiment readout links": ("tests/nightshelf_ops/test_readout.py", '"readout"'),
    'python -c "import duckdb; duckdb.sql(\\"SELECT until': (
        "tests/tasks/readout/test_read_out.py",
        "read_rows",
    ),
    # An engine, root and a cluster: their files are checked, and what images hold is run.
    "docker compose": ("tests/deploy/test_compose.py", "compose.yaml"),
    "docker build": ("tests/deploy/image_check.sh", "Dockerfile"),
    "kubectl ": ("tests/deploy/test_kubernetes.py", "kubernetes"),
    "sudo ": ("tests/deploy/test_systemd.py", "systemd"),
    "systemctl ": ("tests/deploy/test_systemd.py", "systemd"),
    ". <(sudo": ("tests/deploy/test_secrets.py", "postgres"),
    "echo 'include": ("tests/deploy/test_compose.py", "valkey"),
    'curl -s http://127.0.0.1:8080/recommendations/u000007 -H "Authorization: Bearer $(cat': (
        "tests/deploy/test_secrets.py",
        "web.key",
    ),
}
#: Commands that go on until they are stopped, with the port that says that they are ready.
RUNNING = {"nightshelf serve": "8080", "python webhook.py": "8090"}

GIVEN: Mapping[str, Given] = {
    "backfill": Given(
        instead={"--start 2026-02-01": "--start 2026-02-22"}, prints={".venv": "2026-02-22  made"}
    ),
    "block-items-and-erase-users": Given(
        prints={"nightshelf block": "blocked i00214", "nightshelf forget u000007 --yes": "nothing"}
    ),
    "collect-events": Given(
        before=(
            "prefect work-pool create nightshelf --type process",
            "nightshelf get u000007 > /dev/null",
        ),
        instead={
            "REDIS_URL=redis://collector:... .venv/bin/prefect worker start": (
                "prefect worker start --run-once"
            ),
            "REDIS_URL=redis://publisher:... .venv/bin/prefect worker start": (
                "prefect worker start --run-once"
            ),
        },
        prints={">>> ": r"\('ordr',\)", ".venv/bin/python": "events collected: [01] "},
    ),
    "compare-generations": Given(prints={".venv": "everyone"}),
    "evaluate": Given(instead={"nightshelf evaluate": "nightshelf evaluate --max-users 100"}),
    "explain-a-list": Given(instead=_IDS, prints={".venv/bin/nightshelf why u001548": "Score"}),
    "first-experiment": Given(
        files={"experiments.toml": 0},
        instead={"--as-of 2026-12-01": f"--as-of {_IN_TWO_DAYS}", "--users 2000": "--users 300"},
        prints={"nightshelf experiment readout": "Sample ratio"},
    ),
    "get-alerts": Given(
        fails=(".venv/bin/nightshelf alerts test", ".venv/bin/nightshelf alerts"),
        prints={
            ".venv/bin/nightshelf alerts test": "json-",
            ".venv/bin/python -m flows.watch --namespace": "Catalogue coverage",
        },
    ),
    "import-public-logs": Given(
        before=(f"({_RATINGS})", _RETAIL),
        files={"orders.csv": 0},
        prints={
            ".venv/bin/python -m data.importers.online_retail": "1 refused: not a product",
            ".venv/bin/python -m data.importers.csv": "3 rows read = 2 kept",
        },
    ),
    "lock-down-redis": Given(
        before=("mkdir redis",),
        instead={"/etc/redis/": "redis/", "redis://operator:...@db:6379/0": "$REDIS"},
        prints={"for role": "OPERATOR [0-9a-f]{48}"},
    ),
    "measure-offline-quality": Given(prints={".venv/bin/python": "NDCG@10"}),
    "monitor": Given(
        before=("mkdir prometheus && echo key > prometheus/nightshelf.key",),
        instead={
            "/etc/prometheus/ && promtool": (
                "prometheus/ && sed -i s,/etc/,$PWD/, prometheus/*.yml && promtool"
            ),
            "/etc/prometheus/prometheus.yml": "prometheus/prometheus.yml",
            "$KEY": "none",
        },
        prints={"curl -s -H": "nightshelf_generation 2", "curl -s http": "event_ids"},
    ),
    "own-log": Given(
        before=(_ORDERS,),
        prints={
            "nightshelf init .nightshelf/shop/orders.csv --namespace mine --yes": "rows read = ",
            "nightshelf get": "source .*, generation 1",
        },
    ),
    "prune-runs": Given(prints={"nightshelf runs list": "live in Redis"}),
    "put-it-on-a-server": Given(
        before=("mkdir data-of-nights",),
        instead={"/tmp/shop": "own-shop", "/var/lib/nightshelf/": "data-of-nights/"},
    ),
    "refresh-lists": Given(
        instead={"log/events": f"{SHOP}/events"},
        prints={"python -m flows.refresh": "generation 2: refreshed"},
    ),
    "restore-an-empty-redis": Given(
        before=(_FLUSH,),
        fails=(".venv/bin/nightshelf doctor",),
        prints={
            ".venv/bin/nightshelf doctor": r"republish runs/shop/2; or",
            ".venv/bin/nightshelf status": "Live: generation 3",
        },
    ),
    "run-a-canary": Given(
        before=("nightshelf rollback --yes",),
        instead={"canary 3": "canary 2"},
        prints={"nightshelf status": "Canary: generation 2 for 5 %"},
    ),
    "run-an-experiment": Given(
        files={"good.toml": 0},
        before=(f"{_FAULTY} good.toml > experiments.toml",),
        instead={
            "python -m flows.nightly": (
                f"! {_NIGHT} --namespace mine && cp good.toml experiments.toml && {_NIGHT}"
            ),
            "-n 1 -s mine": "-n 1 -s mine | tail -4",
            "duckdb -c": 'python -c "import duckdb, sys; print(duckdb.sql(sys.argv[1]))"',
        },
        prints={
            "python -m flows.nightly": "found 'alss'; allowed",
            "nightshelf experiment list": "als-alone",
            "duckdb": "control",
        },
    ),
    "run-the-whole-system": Given(
        instead={"nightshelf alerts": "nightshelf alerts || true"},
        prints={"nightshelf generations": "live"},
    ),
    "serve-over-http": Given(
        instead={"--host 0.0.0.0": "--host 127.0.0.1"},
        prints={
            "curl -s 'http": "model_used",
            "curl -s http://127.0.0.1:8080/track/action": "unknown_types",
        },
    ),
    "start-with-your-own-log": Given(
        before=(_ORDERS,),
        instead={"--dry-run --answer": "--force --dry-run --answer"},
        prints={".venv": "rows read = "},
    ),
    "tune": Given(
        instead={
            "out/movietweetings/events.parquet": f"{SHOP}/events",
            "out/movietweetings": SHOP,
            "2013-09-03 --minutes 1.5": "2026-03-01 --trials 1",
        },
        prints={".venv": "NDCG@10"},
    ),
    "upgrading": Given(
        instead={"nightshelf doctor": "nightshelf doctor || true"},
        prints={"nightshelf runs list": "live in Redis", "nightshelf rollback": "1 is live"},
    ),
    "use-the-console": Given(
        before=("echo '{}' > runs/shop/audit.jsonl",),
    ),
    "use-your-own-log": Given(
        instead={
            "log/": f"{SHOP}/events",
            "--items items": f"--as-of 2026-03-01 --items {SHOP}/items",
            "--users users": f"--users {SHOP}/users",
        },
        prints={".venv": "0 errors"},
    ),
    "when-a-night-fails": Given(
        before=("nightshelf republish runs/shop/2 --yes", "nightshelf republish runs/shop/2 --yes"),
        instead={"pin 42": "pin 1", "promote 45": "promote 4", "retire 40": "retire 2"},
        prints={".venv/bin/nightshelf rollback --mark-bad": "2 is live"},
    ),
}
