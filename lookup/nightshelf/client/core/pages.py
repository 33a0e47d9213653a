"""Results from masked lists: filtered, with metadata and a cursor, counted."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from nightshelf.client.core.cursor import text_of
from nightshelf.client.core.fallback import named, popular_lists
from nightshelf.client.core.masking import MaskedList, Page, cut
from nightshelf.client.core.protocol import Exchange
from nightshelf.client.core.read import ITEM, fetch
from nightshelf.client.core.state import CallState, ClientState, age_s, published_s
from nightshelf.client.core.stored_list import StoredList
from nightshelf.client.filters import Filters, fingerprint
from nightshelf.client.results import Result
from nightshelf.contract.values import Manifest


def item_rows(
    state: ClientState, call: CallState, generation: int, ids: Iterable[str]
) -> Exchange[dict[str, dict[str, Any]]]:
    """Return the feature rows of items by id, without absent ones."""
    keys = named(ids, lambda item: state.keys.item(generation, item))
    values = yield from fetch(state, call, dict.fromkeys(keys.values(), ITEM))
    return {item: values[key] for item, key in keys.items() if key in values}


def page_of(
    state: ClientState,
    call: CallState,
    found: MaskedList | None,
    n: int,
    filters: Filters | None,
    start: int,
    metadata: bool,
) -> Exchange[Result]:
    """Return a page of a list from position `start` on."""
    if found and filters:
        result = yield from _filtered(state, call, found, n, filters, start)
    else:
        result = plain(state, call, found, n, start)
    if not (found and metadata):
        return result
    ids = [item.item_id for item in result.items]
    rows = yield from item_rows(state, call, found.live.generation, ids)
    items = tuple(item._replace(metadata=rows.get(item.item_id)) for item in result.items)
    return replace(result, items=items)


def plain(
    state: ClientState, call: CallState, found: MaskedList | None, n: int, start: int = 0
) -> Result:
    """Return a page without filters or metadata; an empty one for `None`."""
    if found is None:
        return finish(state, call, Result((), "none"))
    return result_of(state, call, found, cut([found.ranked], n, found.masks, start=start))


def _filtered(
    state: ClientState, call: CallState, found: MaskedList, n: int, filters: Filters, start: int
) -> Exchange[Result]:
    """Fill a page from the list, then the filtered categories' popular lists, then everyone's."""
    lists, sources = [found.ranked], [found.source]
    allowed = yield from _allowed(state, call, found.live, lists, filters)
    page = cut(lists, n, found.masks, start=start, allowed=allowed)
    if page.next_at is None:  # the list has no more
        segments = [f"category:{name}" for name in filters.categories] + ["all"]
        more = yield from popular_lists(state, call, found.live, segments)
        names = [name for name in segments if name in more]
        lists += [more[name] for name in names]
        sources += [f"popular:{name}" for name in names]
        allowed |= yield from _allowed(state, call, found.live, lists[1:], filters)
        page = cut(lists, n, found.masks, start=start, allowed=allowed)
    if (
        call.failed or call.missed
    ) and not page.items:  # without feature rows no item passes: retry
        where = found.live.generation, start, fingerprint(filters), found.level
        cursor = text_of(*where, found.assignment)
        return finish(state, call, Result((), "none", cursor=cursor))
    return result_of(state, call, found, page, filters, sources[page.first_of])


def _allowed(
    state: ClientState,
    call: CallState,
    live: Manifest,
    lists: Sequence[StoredList],
    filters: Filters,
) -> Exchange[set[str]]:
    ids = dict.fromkeys(item for ranked in lists for item in ranked.items)
    rows = yield from item_rows(state, call, live.generation, ids)
    return {item for item, row in rows.items() if filters.admits(row)}


def result_of(
    state: ClientState,
    call: CallState,
    found: MaskedList,
    page: Page,
    filters: Filters | None = None,
    source: str | None = None,
) -> Result:
    """Return the result of a page; `source` defaults to the list's own."""
    live, source = found.live, source or found.source
    if not page.items:
        return finish(state, call, Result((), "none"))
    cursor = None
    if page.next_at is not None:
        level = "popular:all" if source == "last-good" else found.level
        made_with = fingerprint(filters)
        cursor = text_of(live.generation, page.next_at, made_with, level, found.assignment)
    model = None
    if source in ("list", "similar"):
        model = found.level.partition(":")[2] if source == "list" else live.default_model
    pointer = call.pointer
    since_s = pointer.published_s if live is pointer.live else published_s(live)
    cached, assignment = not call.asked, found.assignment
    return finish(
        state,
        call,
        Result(
            page.items, source, live.generation, model, age_s(since_s), cached, cursor, assignment
        ),
    )


def finish(state: ClientState, call: CallState, result: Result) -> Result:
    """Count a result, and mark it as cached where Redis failed."""
    state.count_answer(result.source)
    is_unsure = call.failed or call.missed
    return replace(result, cached=True) if is_unsure and result.items else result
