"""Document of ``nightshelf diff``: the same bytes for the same lists.

- ``namespace``; ``a`` and ``b``, of the manifests: ``generation``, ``state``, ``as_of``, ``lists``,
  ``keys``, ``bytes``, ``config_hash``, ``choice`` (the blend, null where there is
  none); ``same_config`` (null where a hash is unknown)
- ``users_found`` (with a list in A or B), ``users_read`` (fewer with ``--sample``); ``corrupt``:
  ``count`` of lists that cannot be read, and the first ten ``keys``; their users are left out of:
- ``overall``, and ``segments`` of ``segment`` and the same: ``users`` with both lists, ``only_a``,
  ``only_b``, the means ``jaccard`` and ``rank_biased_overlap`` (p = 0.9), the shares ``identical``
  and ``first_changed`` (0 to 1; null without users)
- ``entered``, ``left``, ``shifts`` of ``item_id``, ``title``, ``a_lists``, ``b_lists``,
  ``a_share``, ``b_share`` (of the lists, 0 to 1), ``difference`` (B - A), and how many there are in
  all: ``n_entered``, ``n_left``, ``n_shifts``
- ``changed``, the most changed users: ``user``, ``segment``, ``rank_biased_overlap``, ``jaccard``,
  ``ranks`` of ``rank``, ``a`` (``item_id``, ``title``, ``mark``: stayed, moved or left, ``to``: its
  rank in B or null) and ``b`` (the same with new for left and ``from`` for ``to``), null where a
  list is shorter
"""

from collections.abc import Mapping
from dataclasses import asdict
from itertools import zip_longest
from typing import Any

from nightshelf.contract.values import Manifest
from nightshelf.diff.compare import Changed, Comparison, Exposure, Items, Pair
from nightshelf.diff.overlap import jaccard

_NAMED_CORRUPT = 10


def manifest_fields(a: Manifest, b: Manifest) -> dict[str, Any]:
    """Return the fields of both manifests."""
    known = a.config_hash and b.config_hash
    return {
        "a": _manifest(a),
        "b": _manifest(b),
        "same_config": a.config_hash == b.config_hash if known else None,
    }


def figures(comparison: Comparison) -> dict[str, Any]:
    """Return how the lists moved, for everyone and by segment, and which could not be read."""
    corrupt = comparison.corrupt
    return {
        "corrupt": {"count": len(corrupt), "keys": corrupt[:_NAMED_CORRUPT]},
        "overall": comparison.overall.figures(),
        "segments": [
            {"segment": name, **moves.figures()} for name, moves in comparison.by_segment()
        ],
    }


class Shown:
    """The items and users that are shown: `n` items a table, `n` ranks of each user's lists."""

    def __init__(self, comparison: Comparison, n: int) -> None:
        entered, left, shifts = comparison.entered(), comparison.left(), comparison.shifts()
        self._tables = {"entered": entered, "left": left, "shifts": shifts}
        self._changed = comparison.changed
        self._n = n

    def items(self) -> set[str]:
        """Return the items that need a title."""
        shown = {row.item_id for rows in self._tables.values() for row in rows[: self._n]}
        for changed in self._changed:
            shown.update(changed.pair.a[: self._n], changed.pair.b[: self._n])
        return shown

    def fields(self, titles: Mapping[str, str]) -> dict[str, Any]:
        """Return the tables with titles by item id, null where there is none."""
        counts = {f"n_{name}": len(rows) for name, rows in self._tables.items()}
        tables = {
            name: [_exposure(row, titles) for row in rows[: self._n]]
            for name, rows in self._tables.items()
        }
        changed = [_changed(user, self._n, titles) for user in self._changed]
        return {**counts, **tables, "changed": changed}


def _manifest(manifest: Manifest) -> dict[str, Any]:
    return {
        "generation": manifest.generation,
        "state": manifest.state,
        "as_of": manifest.as_of,
        "lists": manifest.counts.get("list", 0),
        "keys": sum(manifest.counts.values()),
        "bytes": manifest.n_bytes,
        "config_hash": manifest.config_hash,
        "choice": asdict(manifest.choice) if manifest.choice else None,
    }


def _exposure(row: Exposure, titles: Mapping[str, str]) -> dict[str, Any]:
    return {"item_id": row.item_id, "title": titles.get(row.item_id), **row._asdict()}


def _changed(changed: Changed, n: int, titles: Mapping[str, str]) -> dict[str, Any]:
    pair = changed.pair
    return {
        "user": pair.user,
        "segment": pair.segment,
        "rank_biased_overlap": round(changed.rank_biased_overlap, 6),
        "jaccard": round(jaccard(pair.a, pair.b), 6),
        "ranks": side_by_side(pair, n, titles),
    }


def side_by_side(pair: Pair, n_ranks: int, titles: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the first ranks of both lists: where each item went to, or came from."""

    def side(items: Items, other: Items, way: str, absent: str) -> list[dict[str, Any]]:
        place = {item: rank for rank, item in enumerate(other, start=1)}
        cells = []
        for rank, item in enumerate(items[:n_ranks], start=1):
            there = place.get(item)
            mark = absent if there is None else "stayed" if there == rank else "moved"
            cells.append({"item_id": item, "title": titles.get(item), "mark": mark, way: there})
        return cells

    left, right = side(pair.a, pair.b, "to", "left"), side(pair.b, pair.a, "from", "new")
    rows = enumerate(zip_longest(left, right), start=1)
    return [{"rank": rank, "a": a, "b": b} for rank, (a, b) in rows]
