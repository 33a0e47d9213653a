"""Texts for the terminal: addresses and logins, the first night, the visitors."""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from local_system.keys import key_file
from local_system.settings import UpSettings
from nightshelf import Status


def screen_text(up: UpSettings, redis_url: str) -> str:
    """Return what runs where, and how to log in."""
    service, ui = f"http://127.0.0.1:{up.port}", f"http://127.0.0.1:{up.ui_port}"
    key = _short(key_file(up.folder, "admin"))
    rows = {
        "Console": f"{service}/console/ (log in with the key: cat {key})",
        "Service": f"{service}/docs (an app's key: {_short(key_file(up.folder, 'app'))})",
        "Prefect": f"{ui} (no login)",
        "Redis": _without_password(redis_url),
        "Event log": _short(up.events),
        "Runs": f"{_short(up.runs)} (each with its report.html)",
        "Logs": f"{_short(up.logs)}/*.log",
    }
    lines = [f"  {name:<10} {where}" for name, where in rows.items()]
    return "\n".join(["", "Everything is up. Ctrl-C ends all of it.", "", *lines, ""])


def first_night_text(status: Status, seconds: float) -> str:
    """Return a line about the first night."""
    live = status.live
    if live is None:
        return "The first night is not live: see its run in Prefect."
    return f"The first night took {seconds:.0f} s: generation {live.generation} is live."


def live_text(counts: Mapping[str, int]) -> str:
    """Return a line about the visitors since the simulator's last round began."""
    shown, clicks = counts["impression"], counts["click"]
    rate = f"{100 * clicks / shown:.1f} %" if shown else "-"
    return (
        f"visits {counts['visits']:,}, own lists {counts['own']:,}, impressions {shown:,}, "
        f"clicks {clicks:,} ({rate}), purchases {counts['purchase']:,}"
    )


def _short(path: Path) -> str:
    """Return a path, relative to the current directory if it is below."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    hosts = parts.netloc.rpartition("@")[2]  # of a cluster or of sentinels, several
    return f"{parts.scheme}://{hosts or 'localhost:6379'}{parts.path}"
