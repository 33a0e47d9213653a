"""Settings of the service, read once from the environment: ``NIGHTSHELF_SERVICE_<NAME>``.

Redis and the namespace are ``REDIS_URL`` and ``NIGHTSHELF_NAMESPACE``, as for the command.
"""

import os
import re
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    IPvAnyNetwork,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from nightshelf.client.settings import ReadSettings
from nightshelf.client.transport.connection import READ_TIMEOUT_S
from nightshelf.contract.keys import Keys

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_PREFIX = "NIGHTSHELF_SERVICE_"
Scope = Literal["read", "track", "admin"]


def _namespace(name: str) -> str:
    return Keys(name).namespace


class ApiKey(BaseModel):
    """One caller's key: the SHA-256 of its text in hexadecimal digits, and its scopes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sha256: Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")] = Field(repr=False)
    scopes: frozenset[Scope]


class ServiceSettings(BaseSettings):
    """Address of the lists, and limits of callers.

    - `redis_url`: address of Redis.
    - `namespace`: the shop whose lists are served.
    - `deadline_s`: a read's time with Redis, over all its round trips.
    - `recent_user_ttl_s`, `recent_item_ttl_s`: how long tracked events are merged into feature rows
      (`nightshelf.ReadSettings`).
    - `keys`: callers' keys by a name of yours, which the log shows; without any it is open to all.
    - `cors_origins`: web pages that may call it from a browser, as ``https://shop.example``.
    - `max_per_s`: requests a second to one process by one key, or by one address without a key.
    - `trusted_proxies`: addresses or networks of balancers, as ``["10.0.0.5"]``; only from these
      does ``X-Forwarded-For`` count: the last address in it that is not one of theirs.
    - `max_body_bytes`: of a request's body.
    - `max_head_bytes`: of a request's first line and headers.
    - `receive_s`: time to send a request, or to read an answer.
    - `max_connections`: to one process; beyond it the one that has waited longest is closed.
    - `root_path`: path under which a proxy serves it, as ``/recs``; the proxy may take it off.
    - `max_events`: tracked events that may wait to be collected; further ones are refused.
    - `caller_share`: share of `max_events` that one key, or one address without a key, may hold
      through one process.
    - `drain_s`: wait for requests in flight once the process is told to end.
    - `events_dir`: the collected event log, for the dashboard; none: no dashboard.
    - `console`: pages for people at ``/console``; needs the extra ``console``.
    - `runs_dir`: the folder of runs (`run_root` of the night), for the console's trends and audit.
    - `console_secret`: signs the console's sessions, the same in all processes, 32 characters or
      more; without it each process makes its own, so that a restart ends sessions.
    - `console_redis_url`: address of Redis with the login that the console reads and acts by, the
      operator of deploy/users.acl; `redis_url` where not given.
    """

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX,
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,  # the address of Redis may be part of it
    )

    redis_url: SecretStr = Field(
        default=SecretStr("redis://127.0.0.1:6379/0"),
        validation_alias=AliasChoices("redis_url", "REDIS_URL"),
    )
    namespace: Annotated[str, AfterValidator(_namespace)] = Field(
        default="shop",
        validation_alias=AliasChoices("namespace", "NIGHTSHELF_NAMESPACE"),
    )
    deadline_s: PositiveFloat = READ_TIMEOUT_S
    recent_user_ttl_s: PositiveInt = ReadSettings.recent_user_ttl_s
    recent_item_ttl_s: PositiveInt = ReadSettings.recent_item_ttl_s
    keys: dict[str, ApiKey] = Field(default={}, repr=False)
    cors_origins: tuple[str, ...] = ()
    max_body_bytes: PositiveInt = 64 * 1024
    max_head_bytes: Annotated[int, Field(ge=1024)] = 16 * 1024
    max_per_s: PositiveInt = 1_000
    max_connections: PositiveInt = 1_000
    receive_s: PositiveFloat = 10.0
    trusted_proxies: tuple[IPvAnyNetwork, ...] = ()
    root_path: Annotated[str, StringConstraints(pattern=r"^(/[A-Za-z0-9._~-]+)*$")] = ""
    max_events: PositiveInt = ReadSettings.max_events
    caller_share: Annotated[float, Field(gt=0, le=1)] = 0.25
    drain_s: PositiveInt = 10
    events_dir: Path | None = None
    console: bool = False
    runs_dir: Path | None = None
    console_secret: Annotated[SecretStr, Field(min_length=32)] | None = None
    console_redis_url: SecretStr | None = None

    @model_validator(mode="before")
    @classmethod
    def _known_names(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Refuse a misspelt name: ``NIGHTSHELF_SERVICE_KEY`` would leave the service open."""
        own = cls.model_fields.keys() - {"redis_url", "namespace"}
        known = {f"{_PREFIX}{name}".upper() for name in own}
        given = {name.upper() for name in os.environ if name.upper().startswith(_PREFIX)}
        for unknown in sorted(given - known):
            near = get_close_matches(unknown.removeprefix(_PREFIX), map(str.upper, own), 1)
            hint = (
                f"did you mean {_PREFIX}{near[0]}?"
                if near
                else f"those are {', '.join(sorted(known))}"
            )
            raise ValueError(f"{unknown} is no setting: {hint}")
        return values


def read_settings(redis_url: str, namespace: str) -> ServiceSettings:
    """Return the settings of the environment; `ValueError` for an invalid one.

    Its message is one line that names the variable without its value, which may be secret.
    """
    try:
        return ServiceSettings(redis_url=SecretStr(redis_url), namespace=namespace)
    except ValidationError as error:
        message = "; ".join(_message(each) for each in error.errors(include_url=False))
    except SettingsError as error:  # a list or mapping that is not JSON
        named = re.search(r'field "(\w+)"', str(error))
        message = f"{_variable(named[1] if named else '')}: must be JSON, as the how-to shows"
    raise ValueError(f"settings of the service: {message}") from None


def _message(error: "ErrorDetails") -> str:
    message = error["msg"].removeprefix("Value error, ")
    if not error["loc"]:
        return message
    field, *within = map(str, error["loc"])
    return f"{'.'.join([_variable(field), *within])}: {message}"


def _variable(field: str) -> str:
    name = field.upper().removeprefix("NIGHTSHELF_")
    known = {"REDIS_URL": "REDIS_URL", "NAMESPACE": "NIGHTSHELF_NAMESPACE"}
    return known.get(name, _PREFIX + name)
