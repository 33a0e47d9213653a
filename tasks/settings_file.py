"""Read `nightshelf.toml`: the common tables, and those of one namespace over them.

::

    [topn]                          # every namespace's
    n = 50
    page_size = 10

    [namespace.books.topn]          # books: n is 20, page_size stays 10
    n = 20

    [namespace."shop.de-at".topn]   # a name that holds a dot is quoted
    n = 30

A table such as `features.weights` or `inputs.events` is one field: the namespace's replaces the
common one. Tables of other namespaces are checked for misspelt names only.
"""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from nightshelf.contract.keys import Keys

#: Read from the current directory where no other file is named.
DEFAULT = Path("nightshelf.toml")
_BARE = re.compile(r"[A-Za-z0-9_-]+")

#: step -> names of its settings
Known = Mapping[str, list[str]]


@dataclass(frozen=True)
class SettingsFile:
    """A settings file as read for one namespace; `tables` is common and own merged.

    `path` is `None` where there is no file.
    """

    path: Path | None = None
    namespace: str = ""
    own: Mapping[str, Any] = field(default_factory=dict)
    tables: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, namespace: str, config: Path | None, known: Known) -> Self:
        """Read `config`, or `nightshelf.toml` where it exists.

        Raises `OSError` for a named file that cannot be read; `ValueError` for text that is no
        TOML, and for names under a namespace that are no settings.
        """
        path = config or DEFAULT
        if config is None and not path.exists():
            return cls()
        common = tomllib.loads(path.read_text(encoding="utf-8"))
        spaces = common.pop("namespace", {})
        _refuse_unknown_names(spaces, known)
        own = spaces.get(namespace, {})
        return cls(path, namespace, own, _merged(common, own))

    def where(self, step: str, name: str) -> str:
        """Return a setting as it stands in the file: `topn.n`, `namespace.books.topn.n`."""
        if name in (self.own.get(step) or {}):
            return f"{_table(self.namespace)}.{step}.{name}"
        return f"{step}.{name}"


def unknown_names(given: Mapping[str, Any], known: Known, table: str = "") -> Iterator[str]:
    """Yield a sentence for each step or setting that does not exist; `table` says under which."""
    for step, values in given.items():
        at = f"{table}.{step}" if table else step
        if step not in known:
            yield f"{at} has no settings; those that do: {', '.join(known)}"
        elif isinstance(values, dict):
            for name in sorted(set(values) - set(known[step])):
                yield f"{at}.{name} is no setting; {step} has {', '.join(known[step])}"
        elif table:
            yield f"{at} is no table of settings"


def _refuse_unknown_names(spaces: object, known: Known) -> None:
    """Raise `ValueError` for the first name under any namespace that does not exist."""
    if not isinstance(spaces, dict):
        raise ValueError(f"namespace is no table; write [namespace.<name>.{next(iter(known))}]")
    for namespace, own in spaces.items():
        table = _table(namespace)
        try:
            Keys(namespace)
        except ValueError as error:
            raise ValueError(f"{table}: {error}") from error
        if not isinstance(own, dict):
            raise ValueError(f"{table} is no table; write [{table}.{next(iter(known))}]")
        steps = {step: values for step, values in own.items() if step != "redis_url"}
        for sentence in unknown_names(steps, known, table):
            raise ValueError(sentence + _hint(namespace, steps, known))


def _hint(namespace: str, own: Mapping[str, Any], known: Known) -> str:
    """Return advice on a namespace with a dot, if a step looks like the rest of its name."""
    for step, inside in own.items():
        if step not in known and isinstance(inside, dict) and known.keys() & inside.keys():
            return f'; a namespace with a dot is quoted: [namespace."{namespace}.{step}"]'
    return ""


def _merged(common: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Return the common tables with each field that the namespace gives in its place."""
    merged = dict(common)
    for step, values in own.items():
        below = merged.get(step)
        merged[step] = {**below, **values} if isinstance(below, dict) else values
    return merged


def _table(namespace: str) -> str:
    """Return the name of a namespace's table, quoted where TOML asks for it."""
    name = namespace if _BARE.fullmatch(namespace) else json.dumps(namespace, ensure_ascii=False)
    return f"namespace.{name}"
