"""Settings of the watch."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from pydantic import PositiveFloat, PositiveInt, SecretStr

from tasks.watch.rules import Rule, RuleChange, changed_rules


@dataclass(frozen=True)
class WatchSettings:
    """Sources of the figures, rules, and where messages go.

    - `rules`: changes of rules by name, as `[watch.rules.ctr]` with `warning = 0.04`.
    - `services`: addresses of the service's processes, as "http://127.0.0.1:8080".
    - `service_key`: a key of the service with the scope admin.
    - `notify`: Apprise addresses that get each message, as "json://127.0.0.1:8090/".
    - `notify_blocks`: names of Prefect notification blocks, as "slack-webhook/on-call".
    - `clear_s`: time for which a figure must be good before its incident ends.
    - `give_up_s`: time after which a message that no attempt could send is given up.
    - `every_h`: hours from one night to the next.
    - `stuck_h`: hours without a write after which an unfinished night counts as failed.
    - `event_h`: hours of the event log that CTR and conversion are of.
    - `trailing_nights`, `trailing_days`: nights, and days of passes, that a median is of.
    - `min_trailing`: nights, or passes at this time of day, that a median needs.
    - `deviation_floor`: share of the median that is the least deviation counted as 1.
    - `timeout_s`: wait for an answer of a process.
    - `report_url`: where the folder of runs is served; links reports in messages.
    - `console_url`: address of the console; linked in messages.
    - `runbook_url`: goes before the runbooks' pages, as the address of a repository.
    """

    rules: Mapping[str, RuleChange] = field(default_factory=dict)
    services: tuple[str, ...] = ()
    service_key: SecretStr | None = None
    notify: tuple[SecretStr, ...] = ()
    notify_blocks: tuple[str, ...] = ()
    clear_s: PositiveFloat = 600.0
    give_up_s: PositiveFloat = 24 * 3600.0
    every_h: PositiveFloat = 24.0
    stuck_h: PositiveFloat = 3.0
    event_h: PositiveFloat = 6.0
    trailing_nights: PositiveInt = 7
    trailing_days: PositiveInt = 7
    min_trailing: PositiveInt = 4
    deviation_floor: PositiveFloat = 0.05
    timeout_s: PositiveFloat = 5.0
    report_url: str = ""
    console_url: str = ""
    runbook_url: str = ""

    def __post_init__(self) -> None:
        for address in self.services:
            parts = urlsplit(address)
            if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
                raise ValueError(
                    "watch.services: expected addresses such as http://127.0.0.1:8080, without a "
                    "password (the key goes into watch.service_key)"
                )
        try:
            changed_rules(self.rules)
        except ValueError as error:
            raise ValueError(f"watch.rules: {error}") from None

    @property
    def all_rules(self) -> dict[str, Rule]:
        """All rules by name, as changed here."""
        return changed_rules(self.rules)
