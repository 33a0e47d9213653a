"""Checks of a server, from its INFO and a few commands.

`info` is Redis's INFO as redis-py gives it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import median
from typing import Any

from nightshelf.client.transport.connection import READ_TIMEOUT_S
from nightshelf.contract.values import Manifest
from nightshelf.doctor.finding import Finding, Outcome
from nightshelf.text import age_text, size_text

Info = Mapping[str, Any]
#: The same margin as the publisher's estimate has.
_MARGIN = 0.1
#: What MEMORY USAGE leaves out of a key: its slots in two tables, and the entry of its TTL.
#: Measured: 57 to 85 bytes on Redis 7.0, about 30 on Valkey 9.1.
_TABLES = 64
#: A fuller server has no room for buffers, or for a copy when it saves.
_FULL_SHARE = 0.9
_UNSAVED_S = 3600
_WORST_FIRST: tuple[Outcome, ...] = ("fail", "warn", "unknown", "ok")
_CLOCK_WARN_S, _CLOCK_FAIL_S = 2.0, 60.0


def connection(round_trips_s: Sequence[float]) -> Finding:
    """Judge round trips against the time that a reader waits."""
    middle_ms = median(round_trips_s) * 1000
    found = f"answers in {middle_ms:.2g} ms, at most {max(round_trips_s) * 1000:.2g}"
    limit_ms = READ_TIMEOUT_S * 1000
    if middle_ms > limit_ms / 2:
        found += f", where a reader gives up after {limit_ms:g}"
        return Finding("warn", found, "bring the apps nearer to Redis, or look for what slows it")
    return Finding("ok", found)


def worst(findings: Mapping[str, Finding]) -> Finding:
    """Return the worst finding of several servers, by address, with the server that it is of."""
    address, found = min(findings.items(), key=lambda each: _WORST_FIRST.index(each[1].outcome))
    if len(findings) == 1:
        return found
    return replace(found, found=f"{address}, one of {len(findings)} masters: {found.found}")


def server(info: Info, *, as_cluster: bool = False) -> Finding:
    """Judge kind and version (the scripts need flags), and how a node of a cluster is named."""
    name = str(info.get("server_name", "redis"))
    version = str(info.get(f"{name}_version", info.get("redis_version", "?")))
    found = f"{name} {version}, up {age_text(float(info.get('uptime_in_seconds', 0)))}"
    major = re.match(r"\d+", version)
    if name == "redis" and major and int(major[0]) < 7:
        return Finding("fail", f"{found}: no night can go live", "use Redis 7, or any Valkey")
    if int(info.get("cluster_enabled", 0)) and not as_cluster:
        wrong = f"{found}, a node of a cluster: it holds a part of the keys"
        return Finding("fail", wrong, "name the cluster, by redis+cluster://")
    return Finding("ok", found)


def replication(info: Info) -> Finding:
    """Judge the server's role: a replica takes no writes, and may be behind."""
    if info.get("role", "master") == "master":
        return Finding("ok", f"primary, {info.get('connected_slaves', 0)} replicas")
    primary = f"{info.get('master_host')}:{info.get('master_port')}"
    if info.get("master_link_status") != "up":
        since = age_text(float(info.get("master_link_down_since_seconds", 0)))
        found = f"a replica that lost its primary {primary} {since} ago: its lists grow old"
        return Finding("fail", found, f"bring {primary} back, or make this one primary")
    found = f"a replica of {primary}: it serves readers, and takes no night"
    return Finding("warn", found, f"publish and operate at {primary} (--redis-url)")


def cluster(shares: Mapping[str, float], infos: Mapping[str, Info]) -> Finding:
    """Judge the masters of a cluster: all slots served, and a replica for each."""
    served, n = sum(shares.values()), len(shares)
    found = f"{n} masters serve {served:.0%} of the slots"
    if served < 1:
        return Finding("fail", found, "bring the missing node back, or make its replica master")
    alone = sorted(at for at, info in infos.items() if not int(info.get("connected_slaves", 0)))
    if alone:
        return Finding(
            "warn",
            f"{found}; without a replica: {', '.join(alone)}",
            "add one to each: without it the keys of a lost node are gone until it is back",
        )
    return Finding("ok", f"{found}, each with a replica")


def memory(info: Info) -> Finding:
    """Judge limit, policy and use: only noeviction refuses a night rather than take live lists."""
    limit, used = int(info["maxmemory"]), int(info["used_memory"])
    policy, evicted = str(info["maxmemory_policy"]), int(info.get("evicted_keys", 0))
    words = f"{used / limit:.0%} of {size_text(limit)}" if limit else size_text(used)
    found = f"{words} used, {policy if limit else f'no limit, {policy}'}"
    if evicted:
        found += f", {evicted:,} keys evicted since it started"
    if policy != "noeviction":
        outcome: Outcome = "fail" if limit else "warn"
        dormant = "" if limit else " once it has a limit"
        remedy = "set maxmemory-policy noeviction"
        return Finding(outcome, f"{found}: it evicts live lists in silence{dormant}", remedy)
    if not limit:
        remedy = "set maxmemory to what the machine can spare"
        return Finding("warn", f"{found}: the system ends it when the machine is full", remedy)
    if used > _FULL_SHARE * limit:
        return Finding("warn", found, "raise maxmemory, or nightshelf retire an older generation")
    if evicted:
        return Finding("warn", found, "start a new night: lists may be missing from older ones")
    return Finding("ok", found)


def room(
    info: Info, live: Manifest | None, key_bytes: Mapping[str, float], share: float = 1.0
) -> Finding:
    """Judge whether another generation of the live one's size fits beside what stands.

    `share` is the part of it (0 to 1) that this server gets.
    `key_bytes` is the memory of a key by family, as measured; without it the manifest's bytes count
    with what Redis adds to each key left out.
    """
    if live is None:
        return Finding("unknown", "nothing is live whose size could be taken")
    of_all, how = generation_bytes(live, key_bytes)
    n_bytes = round(of_all * share)
    limit, used = int(info["maxmemory"]), int(info["used_memory"])
    what = "a generation" if share == 1 else f"its {share:.0%} of a generation"
    found = f"{what} takes {how} {size_text(n_bytes)}"
    if not limit:
        total = size_text(int(info.get("total_system_memory", 0)))
        return Finding("ok", f"{found}; no limit but the machine's {total}")
    free, need = max(limit - used, 0), round(n_bytes * (1 + _MARGIN))
    found += f", {size_text(free)} are free"
    if need > free:
        remedy = f"raise maxmemory by {size_text(need - free)}, or nightshelf retire an older one"
        return Finding("fail", f"{found}: the next night will be refused", remedy)
    return Finding("ok", found)


def generation_bytes(live: Manifest, key_bytes: Mapping[str, float]) -> tuple[int, str]:
    """Return a generation's memory in bytes, and how sure that is: "about" or "at least"."""
    if not key_bytes:
        return live.n_bytes, "at least"
    other = sum(key_bytes.values()) / len(key_bytes)
    values = sum(n * key_bytes.get(name, other) for name, n in live.counts.items())
    return round(values + _TABLES * sum(live.counts.values())), "about"


def persistence(info: Info, now_s: float) -> Finding:
    """Judge what a restart would bring back; `now_s` is Unix time."""
    failed = [
        what
        for what, status in {
            "RDB": "rdb_last_bgsave_status",
            "AOF": "aof_last_write_status",
        }.items()
        if info.get(status, "ok") != "ok"
    ]
    if failed:
        found = f"the last {failed[0]} write to disk failed: Redis refuses every write after that"
        return Finding("fail", found, "see the server's log, and free or mend the disk")
    if int(info.get("aof_enabled", 0)):
        return Finding("ok", "AOF on, last write good")
    saves, loaded = (int(info.get(f"rdb_{n}", 0)) for n in ("saves", "last_load_keys_loaded"))
    remedy = "set save or appendonly; or keep the run folders, and publish again after a restart"
    if not saves and not loaded:
        found = "no AOF, and no RDB since it started: a restart comes back empty"
        return Finding("warn", found, remedy)
    since_s = now_s - int(info["rdb_last_save_time"])
    changes = int(info["rdb_changes_since_last_save"])
    found = f"RDB saved {age_text(since_s)} ago, {changes:,} changes since"
    if changes and since_s > _UNSAVED_S:
        return Finding("warn", f"{found}: a restart forgets them", remedy)
    return Finding("ok", found)


def clock(offset_s: float) -> Finding:
    """Judge the server's clock against ours: TTLs and ages are counted by both."""
    found = f"the server's is {offset_s:+.1f} s from ours"
    if abs(offset_s) > _CLOCK_WARN_S:
        outcome: Outcome = "fail" if abs(offset_s) > _CLOCK_FAIL_S else "warn"
        return Finding(outcome, found, "set both machines' clocks by NTP")
    return Finding("ok", found)
