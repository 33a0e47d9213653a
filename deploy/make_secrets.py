"""Passwords, API keys and Redis logins of one installation, as files for every way to run it.

    python deploy/make_secrets.py                       for compose.yaml and for Kubernetes
    python deploy/make_secrets.py --local /etc/nightshelf/secrets     all on this machine (systemd)

Each part gets a file of its own, with its own login alone: `service.env`, `night.env` and so on are
read by compose (`env_file`), by systemd (`EnvironmentFile`) and by Kubernetes (`secretGenerator`).
Needs nothing but Python 3.11.
"""

import argparse
import json
import secrets
import sys
from hashlib import sha256
from pathlib import Path

HERE = Path(__file__).parent
#: Logins of `users.acl`, and the word for each in its placeholder.
ROLES = ("reader", "service", "collector", "refresher", "watcher", "publisher", "operator")
#: Workers, and the login of each.
WORKERS = {"night": "publisher", "collect": "collector", "refresh": "refresher", "watch": "watcher"}
#: Addresses by their names in compose.yaml and in the cluster, and on one machine.
HOSTS = {"redis": "valkey", "postgres": "postgres", "prefect": "prefect", "service": "service"}

Files = dict[str, str]


def make(namespace: str, *, local: bool) -> Files:
    """Return the content of each file by its name, with new passwords and keys."""
    hosts = dict.fromkeys(HOSTS, "127.0.0.1") if local else HOSTS
    logins = {role: secrets.token_hex(24) for role in ROLES}
    keys = {name: secrets.token_hex(32) for name in ("web", "people", "prometheus")}
    redis = {
        role: f"redis://{role}:{password}@{hosts['redis']}:6379/0"
        for role, password in logins.items()
    }
    prefect = _prefect(hosts)
    files = {f"{worker}.env": {"REDIS_URL": redis[role]} for worker, role in WORKERS.items()}
    files["watch.env"] |= {
        "NIGHTSHELF_WATCH__SERVICES": _json([f"http://{hosts['service']}:8080"]),
        "NIGHTSHELF_WATCH__SERVICE_KEY": keys["prometheus"],
    }
    files["service.env"] = {
        "REDIS_URL": redis["service"],
        "NIGHTSHELF_NAMESPACE": namespace,
        "NIGHTSHELF_SERVICE_KEYS": _json(_digests(keys)),
        "NIGHTSHELF_SERVICE_CONSOLE_REDIS_URL": redis["operator"],
        "NIGHTSHELF_SERVICE_CONSOLE_SECRET": secrets.token_hex(32),
    }
    files["operator.env"] = {"REDIS_URL": redis["operator"], "NIGHTSHELF_NAMESPACE": namespace}
    files["grafana.env"] = {"GF_SECURITY_ADMIN_PASSWORD": secrets.token_hex(16)}
    contents = {name: _env(values) for name, values in (files | prefect).items()}
    contents["users.acl"] = acl((HERE / "users.acl").read_text(), namespace, logins)
    return contents | {f"{name}.key": key for name, key in keys.items()}


def acl(template: str, namespace: str, passwords: dict[str, str]) -> str:
    """Return `users.acl` for a namespace, with the SHA-256 of each login's password."""
    for role, password in passwords.items():
        digest = sha256(password.encode()).hexdigest()
        template = template.replace(f"SHA256-OF-THE-{role.upper()}S-PASSWORD", digest)
    template = template.replace("shelf:shop:", f"shelf:{namespace}:")
    return template.replace("shelf:{shop}:", f"shelf:{{{namespace}}}:")


def _prefect(hosts: dict[str, str]) -> dict[str, dict[str, str]]:
    """Return the files of Prefect's server, of its database and of its callers."""
    database, login = secrets.token_hex(24), f"admin:{secrets.token_hex(24)}"
    url = f"postgresql+asyncpg://prefect:{database}@{hosts['postgres']}:5432/prefect"
    return {
        "postgres.env": {
            "POSTGRES_USER": "prefect",
            "POSTGRES_PASSWORD": database,
            "POSTGRES_DB": "prefect",
        },
        "prefect-server.env": {
            "PREFECT_SERVER_DATABASE_CONNECTION_URL": url,
            "PREFECT_SERVER_API_AUTH_STRING": login,
        },
        "prefect-client.env": {
            "PREFECT_API_URL": f"http://{hosts['prefect']}:4200/api",
            "PREFECT_API_AUTH_STRING": login,
        },
    }


def _digests(keys: dict[str, str]) -> dict[str, dict[str, object]]:
    """Return the service's keys: apps read and track, people see and change, Prometheus scrapes."""
    scopes = {"web": ["read", "track"], "people": ["read", "admin"], "prometheus": ["admin"]}
    return {
        name: {"sha256": sha256(key.encode()).hexdigest(), "scopes": scopes[name]}
        for name, key in keys.items()
    }


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))  # a blank would begin a comment, or end a value


def _env(values: dict[str, str]) -> str:
    """Write one file of variables, without quotes, which `kubectl` would keep."""
    return "".join(f"{name}={value}\n" for name, value in values.items())


def write(folder: Path, files: Files) -> None:
    """Write the files into a folder for its owner alone; `FileExistsError` where it is there."""
    folder.mkdir(mode=0o700, parents=True)
    for name, text in files.items():
        path = folder / name
        path.touch(mode=0o600)
        path.write_text(text)
        if name in ("users.acl", "prometheus.key"):  # read by other users, inside containers
            path.chmod(0o644)


def main() -> int:
    """Make the folder; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, nargs="?", default=HERE / "secrets")
    parser.add_argument("--namespace", default="shop")
    parser.add_argument("--local", action="store_true", help="all parts run on this machine")
    asked = parser.parse_args()
    try:
        write(asked.folder, make(asked.namespace, local=asked.local))
    except FileExistsError:
        print(
            f"{asked.folder} is there already, and holds the passwords in force. To make new ones "
            "for all parts, move it away first.",
            file=sys.stderr,
        )
        return 1
    print(
        f"{asked.folder}: logins of Redis (users.acl), a file of variables for each part,\n"
        "and API keys: web.key (apps), people.key (the console), prometheus.key (metrics)."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
