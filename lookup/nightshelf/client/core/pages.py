"""From a list found to an answer: filtered, with metadata, with a cursor to go on from, counted."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from nightshelf.client.core.cursor import text_of
from nightshelf.client.core.fallback import named, popular_lists
from nightshelf.client.core.masking import Found, Page, cut
from nightshelf.client.core.protocol import Talk
from nightshelf.client.core.read import ITEM, fetch
from nightshelf.client.core.state import Call, Mind, age_s, published_s
from nightshelf.client.core.stored_list import Shelved
from nightshelf.client.filters import Filters, fingerprint
from nightshelf.client.results import Result
from nightshelf.contract.values import Manifest


def item_rows(
    mind: Mind, call: Call, generation: int, ids: Iterable[str]
) -> Talk[dict[str, dict[str, Any]]]:
    """Return the feature rows of items by id, leaving out those that are not there."""
    keys = named(ids, lambda item: mind.keys.item(generation, item))
    values = yield from fetch(mind, call, dict.fromkeys(keys.values(), ITEM))
    return {item: values[key] for item, key in keys.items() if key in values}


def page_of(
    mind: Mind,
    call: Call,
    found: Found | None,
    n: int,
    filters: Filters | None,
    start: int,
    metadata: bool,
) -> Talk[Result]:
    """Return a page of what was found, from position `start` on."""
    if found and filters:
        result = yield from _filtered(mind, call, found, n, filters, start)
    else:
        result = plain(mind, call, found, n, start)
    if not (found and metadata):
        return result
    ids = [item.item_id for item in result.items]
    rows = yield from item_rows(mind, call, found.live.generation, ids)
    items = tuple(item._replace(metadata=rows.get(item.item_id)) for item in result.items)
    return replace(result, items=items)


def plain(mind: Mind, call: Call, found: Found | None, n: int, start: int = 0) -> Result:
    """Return a page of what was found as it stands, or of nothing."""
    if found is None:
        return finish(mind, call, Result((), "none"))
    return result_of(mind, call, found, cut([found.ranked], n, found.masks, start=start))


def _filtered(
    mind: Mind, call: Call, found: Found, n: int, filters: Filters, start: int
) -> Talk[Result]:
    """Fill from the list's tail, then the wanted categories' popular lists, then everyone's."""
    lists, sources = [found.ranked], [found.source]
    allowed = yield from _allowed(mind, call, found.live, lists, filters)
    page = cut(lists, n, found.masks, start=start, allowed=allowed)
    if page.next_at is None:  # the list is used up
        segments = [f"category:{name}" for name in filters.categories] + ["all"]
        more = yield from popular_lists(mind, call, found.live, segments)
        names = [name for name in segments if name in more]
        lists += [more[name] for name in names]
        sources += [f"popular:{name}" for name in names]
        allowed |= yield from _allowed(mind, call, found.live, lists[1:], filters)
        page = cut(lists, n, found.masks, start=start, allowed=allowed)
    if call.failed and not page.items:  # no row came, and without rows nothing passes: ask again
        cursor = text_of(found.live.generation, start, fingerprint(filters), found.rung)
        return finish(mind, call, Result((), "none", cursor=cursor))
    return result_of(mind, call, found, page, filters, sources[page.first_of])


def _allowed(
    mind: Mind, call: Call, live: Manifest, lists: Sequence[Shelved], filters: Filters
) -> Talk[set[str]]:
    ids = dict.fromkeys(item for ranked in lists for item in ranked.items)
    rows = yield from item_rows(mind, call, live.generation, ids)
    return {item for item, row in rows.items() if filters.admits(row)}


def result_of(
    mind: Mind,
    call: Call,
    found: Found,
    page: Page,
    filters: Filters | None = None,
    source: str | None = None,
) -> Result:
    """Return the answer that a page makes; `source` is the list's own where there is none."""
    live, source = found.live, source or found.source
    if not page.items:
        return finish(mind, call, Result((), "none"))
    cursor = None
    if page.next_at is not None:
        rung = "popular:all" if source == "last-good" else found.rung
        cursor = text_of(live.generation, page.next_at, fingerprint(filters), rung)
    model = None
    if source in ("list", "similar"):
        model = found.rung.partition(":")[2] if source == "list" else live.default_model
    seen = call.seen
    since_s = seen.published_s if live is seen.live else published_s(live)
    return finish(
        mind,
        call,
        Result(page.items, source, live.generation, model, age_s(since_s), not call.asked, cursor),
    )


def finish(mind: Mind, call: Call, result: Result) -> Result:
    """Count an answer, which is cached where Redis had no part in it."""
    mind.came_from(result.source)
    return replace(result, cached=True) if call.failed and result.items else result
