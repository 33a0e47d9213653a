"""Settings of the local system, and the places of its files."""

import json
from dataclasses import asdict, dataclass, fields
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from data.sample_shop.shop import ShopSettings
from data.simulator.settings import TrafficSettings

NAMESPACE = "shop"
_NAME = "up.json"


@dataclass(frozen=True)
class UpSettings:
    """Size and ports of a local system, all of whose files are in `folder`.

    - `port`, `ui_port`, `redis_port`: of the service, the Prefect server and the embedded Valkey.
    - `end`: the day at whose begin the sample shop's log ends.
    - `days`: compressed days to play from `end` on; 0: none.
    - `exit`: end all once the days are over.
    - `users`, `items`: size of the shop. `visits`: visits a day of known users.
    - `pause_s`: seconds from one visitor to the next, once the days are over.
    """

    folder: Path
    port: int
    ui_port: int
    redis_port: int
    end: date
    days: int = 0
    exit: bool = False
    users: int = 5_000
    items: int = 1_500
    visits: int = 900
    pause_s: float = 1.0

    @property
    def shop(self) -> ShopSettings:
        """Settings of the sample shop, whose log ends at `end`."""
        return ShopSettings(
            n_users=self.users,
            n_items=self.items,
            end=datetime(self.end.year, self.end.month, self.end.day, tzinfo=UTC),
        )

    @property
    def traffic(self) -> TrafficSettings:
        """Settings of the traffic."""
        return TrafficSettings(visits_a_day=self.visits, newcomers_a_day=max(2, self.visits // 45))

    @property
    def played(self) -> list[date]:
        """The compressed days."""
        return [self.end + timedelta(days=number) for number in range(self.days)]

    @property
    def events(self) -> Path:
        """The event log, into which tracked events are collected."""
        return self.folder / "shop/events"

    @property
    def catalogue(self) -> Path:
        """The items' file, which new items join."""
        return self.folder / "shop/items.parquet"

    @property
    def people(self) -> Path:
        """The users' file."""
        return self.folder / "shop/users.parquet"

    @property
    def runs(self) -> Path:
        """The folder of the nights' runs."""
        return self.folder / "runs"

    @property
    def logs(self) -> Path:
        """The folder of the processes' logs."""
        return self.folder / "logs"

    @property
    def worker_name(self) -> Path:
        """A file with the name of this start's worker, once everything is deployed."""
        return self.folder / "worker-name"

    @property
    def sent(self) -> Path:
        """The folder of the simulator's own records of compressed days, a JSON line an event."""
        return self.folder / "sent"

    def save(self) -> None:
        """Write the settings into the folder, for the processes and for the next start."""
        facts = asdict(self) | {"folder": str(self.folder), "end": self.end.isoformat()}
        (self.folder / _NAME).write_text(json.dumps(facts, indent=2) + "\n")


def read(folder: Path) -> UpSettings | None:
    """Return the settings that a folder was last started with; `None` where it never was."""
    path = folder / _NAME
    if not path.exists():
        return None
    facts = json.loads(path.read_text())
    known = {field.name for field in fields(UpSettings)}
    facts = {name: value for name, value in facts.items() if name in known}
    return UpSettings(**facts | {"folder": folder, "end": date.fromisoformat(facts["end"])})
