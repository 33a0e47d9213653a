"""Write `docs/settings.md` from the settings' classes: `python -m tests.settings_page`."""

import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import IPvAnyNetwork, SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from nightshelf.client.settings import ReadSettings
from nightshelf.service.settings import ApiKey, ServiceSettings
from tasks.evaluation.gates import GATES
from tasks.evaluation.settings import GateSettings
from tasks.settings import Settings
from tasks.watch.rules import RULES, RuleChange
from tasks.watch.settings import WatchSettings
from tests.conftest import ROOT

PAGE = ROOT / "docs/settings.md"
_HEAD = """# Settings

<!-- Made from the settings' classes by `make settings`. -->

Each step of the night has a table in `nightshelf.toml`, such as `[topn]`, or, for one namespace,
`[namespace.books.topn]`. The environment comes before a namespace's table, that before the common
one, and that before the default. In the environment a list or a table is JSON, as
`NIGHTSHELF_FEATURES__SEEN='["purchase"]'`. A name that is not on this page is refused.

The address of Redis is `NIGHTSHELF_REDIS_URL`, `REDIS_URL`, or `redis_url` at the top of the file
or under a namespace; `redis://127.0.0.1:6379/0` otherwise.
"""
_RULES = """### `[watch.rules.<rule>]`

Each rule can be changed, as `[watch.rules.ctr]` with `warning = 0.04`, or switched off, with
`on = false`. A figure is bad beyond its thresholds, on the side that the table shows; a share is
from 0 to 1, a time in seconds.
"""
_SERVICE = "Read from the environment alone, as the service starts."
_CLIENT = "Arguments of `nightshelf.ReadSettings`, which a `Shelf` takes."
_KINDS: dict[Any, str] = {
    str: "text",
    bool: "true or false",
    SecretStr: "text, secret",
    Path: "path",
}
_KINDS |= {NoneType: "none", IPvAnyNetwork: "network", ApiKey: "key", RuleChange: "changes"}
_SIGNS = (("gt", ">"), ("ge", "≥"), ("le", "≤"))
#: A docstring's "- `name`, `name`: purpose", which may go on in indented lines.
_ITEM = re.compile(r"^- ((?:`\w+`(?:, )?)+): (.*(?:\n  .*)*)", re.MULTILINE)
#: Of the service: settings that its other parts know by another variable.
_VARIABLES = {"redis_url": "REDIS_URL", "namespace": "NIGHTSHELF_NAMESPACE"}


def page() -> str:
    """Return the whole page."""
    lines = [_HEAD]
    for step in Settings.known():
        settings = type(Settings.model_fields[step].default)
        rows = _rows(settings, f"NIGHTSHELF_{step}__".upper())
        lines += [f"## `[{step}]`", "", *_about(settings), *rows, ""]
        if settings is WatchSettings:
            lines += [_RULES, *_watch_rules(), ""]
    lines += ["## The service", "", _SERVICE, "", *_rows(ServiceSettings, "NIGHTSHELF_SERVICE_")]
    lines += ["", "## The client", "", _CLIENT, "", *_rows(ReadSettings, "")]
    return "\n".join(lines) + "\n"


def purposes(settings: type) -> dict[str, str]:
    """Return the purpose of each setting: of its class's docstring, or the figure of its gate."""
    found: dict[str, str] = {}
    for names, purpose in _ITEM.findall(inspect.getdoc(settings) or ""):
        found |= dict.fromkeys(re.findall(r"\w+", names), " ".join(purpose.split()))
    if settings is GateSettings:
        for gate, figure in GATES.items():
            says = figure[0].lower() + figure[1:]
            found |= {f"{gate}_min": f"at least: {says}", f"{gate}_max": f"at most: {says}"}
    return found


def _rows(settings: type, prefix: str) -> list[str]:
    known, hints = purposes(settings), get_type_hints(settings, include_extras=True)
    title = ("setting", *(("environment",) if prefix else ()), "type", "default", "purpose")
    rows = [title, ("---",) * len(title)]
    for name, default in defaults(settings).items():
        variable = (f"`{_VARIABLES.get(name, prefix + name.upper())}`",) if prefix else ()
        kind = _kind(hints[name])
        purpose = known[name].replace("|", r"\|")
        rows.append((f"`{name}`", *variable, kind, f"`{_toml(default)}`", purpose))
    return ["| " + " | ".join(row) + " |" for row in rows]


def _watch_rules() -> list[str]:
    """Return the fields of a rule that can be changed, and the table of all rules."""
    rows = [("field", "type", "purpose"), ("---",) * 3]
    known, hints = purposes(RuleChange), get_type_hints(RuleChange, include_extras=True)
    rows += [(f"`{name}`", _kind(hints[name]), known[name]) for name in known]
    title = ("rule", "figure", "on", "bad", "`warning`", "`critical`", "`for_s`", "`min_sample`")
    table: list[tuple[str, ...]] = [(*title, "`runbook`"), ("---",) * 9]
    for rule in RULES.values():
        side = "below" if rule.below else "above"
        limits = [_toml(each) for each in (rule.warning, rule.critical, rule.for_s)]
        page = rule.runbook.removeprefix("docs/")
        link = f"[{page.rpartition('#')[2]}]({page})"
        about = (f"`{rule.name}`", rule.title, _toml(rule.on), side)
        table.append((*about, *limits, _toml(rule.min_sample), link))
    return [
        *("| " + " | ".join(row) + " |" for row in rows),
        "",
        *("| " + " | ".join(row) + " |" for row in table),
    ]


def _about(settings: type) -> list[str]:
    """Return the docstring of a class without its list."""
    parts = _ITEM.sub("", inspect.getdoc(settings) or "").split("\n\n")
    return [line for part in parts if part.strip() for line in (part.strip(), "")]


def defaults(settings: Any) -> dict[str, Any]:
    """Return the default of each setting of a class."""
    if issubclass(settings, BaseSettings):
        return {name: field.default for name, field in settings.model_fields.items()}
    return {
        f.name: f.default if f.default_factory is MISSING else f.default_factory()
        for f in fields(settings)
    }


def _kind(hint: Any) -> str:
    """Say a type in words: `int > 0`, `list of text`, `path or none`."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return " ".join([_kind(inner[0]), *_limits(inner[1:])])
    if origin is Literal:
        return ", ".join(f'"{each}"' for each in inner) if len(inner) < 5 else "text"
    if origin in (Union, UnionType):
        return " or ".join(map(_kind, inner))
    if origin is tuple:
        return f"list of {_kind(inner[0])}"
    if inner:
        return f"table of {_kind(inner[1])}"
    return _KINDS.get(hint) or str(hint.__name__)


def _limits(marks: tuple[Any, ...]) -> Iterator[str]:
    for mark in marks:
        for bound in mark.metadata if isinstance(mark, FieldInfo) else [mark]:
            named = ((sign, getattr(bound, name, None)) for name, sign in _SIGNS)
            yield from (f"{sign} {limit}" for sign, limit in named if limit is not None)


def _toml(value: Any) -> str:
    """Write a default as TOML, or "none"."""
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key} = {_toml(each)}" for key, each in value.items()) + "}"
    if isinstance(value, str):
        return f'"{value}"'
    return str(value).lower() if value is None or isinstance(value, bool) else f"{value:_}"


if __name__ == "__main__":
    PAGE.write_text(page())
