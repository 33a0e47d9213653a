"""The grammar of keys: build and parse every key of the contract, version 1."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import quote, unquote
from zlib import crc32

from nightshelf.errors import InvalidKey

VERSION = 1
#: Longest id, in bytes once encoded: room for a URL, and a bound on what a key can cost.
MAX_ID_BYTES = 512
#: Two missed nights and their mornings: a reader still finds whole lists.
DEFAULT_TTL_S = 72 * 3600
#: Keys written together must not expire together.
TTL_JITTER = 0.10
#: Fallbacks outlive the lists that they stand in for.
FALLBACK_TTL_FACTOR = 2
#: How long a reader may hold the pointer; nothing of a generation may leave sooner after a flip.
POINTER_CACHE_S = 1.0

#: Items that are kept masked for one user: beyond any shopper, and a bound on what a robot costs.
MAX_MASKED = 1_000
#: Events that are kept for one user until a row holds them: an evening's, and a bound for robots.
#: Redis packs 128 densely, and one is added before the oldest goes.
MAX_RECENT = 127
#: What is done with an item is counted by the quarter of an hour, in Unix time.
QUARTER_S = 900

#: What an id needs no encoding for.
_PLAIN = re.compile(rf"[A-Za-z0-9._~-]{{1,{MAX_ID_BYTES}}}")
_NAMESPACE = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_PLAIN_SEGMENTS = ("all", "trending", "new")
_NAMED_SEGMENTS = ("category", "segment")
#: The namespace's own keys beside ``refreshed:<gen>``.
_OWN = frozenset(
    (
        *("current", "generations", "fence", "blocked", "unavailable", "refresh-queue", "events"),
        *("watch", "incidents", "audit"),
    )
)
_BY_USER = frozenset(("masked", "recent", "row-update", "refreshing"))
_BY_ITEM = frozenset(("recent-item", "item-update"))


def encode_id(raw: str) -> str:
    """Percent-encode an id for use in a key.

    Raises `InvalidKey` for an empty id, one over `MAX_ID_BYTES` once encoded, or one that UTF-8
    cannot express.

    >>> encode_id("a:b c/é")
    'a%3Ab%20c%2F%C3%A9'
    """
    try:
        if _PLAIN.fullmatch(raw):
            return raw
    except TypeError:  # such as a number: `nightshelf.contract.ids` makes text of it
        raise InvalidKey(f"an id is text, not {type(raw).__name__}") from None
    try:
        encoded = quote(raw, safe="")
    except UnicodeEncodeError as error:
        raise InvalidKey(f"id {raw!r} is not valid UTF-8") from error
    if not encoded:
        raise InvalidKey("an id must not be empty")
    if len(encoded) > MAX_ID_BYTES:
        raise InvalidKey(f"id {raw[:40]!r}... is {len(encoded)} bytes encoded, over {MAX_ID_BYTES}")
    return encoded


def decode_id(encoded: str) -> str:
    """Undo `encode_id`."""
    return unquote(encoded, errors="strict")


def encode_segment(segment: str) -> str:
    """Encode a segment for use in a key; `InvalidKey` where it is none of the known kinds.

    >>> encode_segment("category:Toys & Games")
    'category:Toys%20%26%20Games'
    """
    kind, colon, name = segment.partition(":")
    if not colon and kind in _PLAIN_SEGMENTS:
        return kind
    if colon and kind in _NAMED_SEGMENTS:
        return f"{kind}:{encode_id(name)}"
    raise InvalidKey(
        f"no such segment: {segment!r}; expected one of {', '.join(_PLAIN_SEGMENTS)}, "
        "category:<category> or segment:<user segment>"
    )


@dataclass(frozen=True)
class KeyFamily:
    """Keys that differ in one encoded id: `prefix`, the id, `suffix`."""

    prefix: str
    suffix: str = ""
    encode: Callable[[str], str] = encode_id

    def key(self, encoded: str) -> str:
        """Return the key of an id that is encoded already."""
        return f"{self.prefix}{encoded}{self.suffix}"

    def of(self, raw: str) -> str:
        """Return the key of an id; `InvalidKey` where it is none."""
        return self.key(self.encode(raw))

    def id_in(self, key: bytes) -> str | None:
        """Return the id that a key of this family is built from; `None` for any other key."""
        try:
            raw = decode_id(key[len(self.prefix) : len(key) - len(self.suffix)].decode())
            return raw if self.of(raw).encode() == key else None
        except ValueError:  # InvalidKey and UnicodeDecodeError among them
            return None

    @property
    def pattern(self) -> str:
        """The pattern for SCAN: no part of a key has a character that MATCH treats specially."""
        return self.key("*")


@dataclass(frozen=True)
class Keys:
    """The keys of one namespace; `InvalidKey` where the namespace is not `[a-z0-9._-]{1,64}`."""

    namespace: str

    def __post_init__(self) -> None:
        if not _NAMESPACE.fullmatch(self.namespace):
            raise InvalidKey(
                f"namespace {self.namespace!r}: expected 1 to 64 of a-z, 0-9, '.', '_' and '-', "
                "beginning with a letter or a digit"
            )

    @property
    def current(self) -> str:
        """The pointer: the live generation's manifest."""
        return self._own("current")

    @property
    def generations(self) -> str:
        """Every generation's manifest, by number."""
        return self._own("generations")

    @property
    def fence(self) -> str:
        """Limits on flips: the highest numbers reserved and flipped, and the pin."""
        return self._own("fence")

    @property
    def blocked(self) -> str:
        """The items that are blocked on every path."""
        return self._own("blocked")

    @property
    def unavailable(self) -> str:
        """The items that have gone out of stock since the night."""
        return self._own("unavailable")

    @property
    def refresh_queue(self) -> str:
        """The users whose list is to be recomputed."""
        return self._own("refresh-queue")

    @property
    def events(self) -> str:
        """The stream of tracked events."""
        return self._own("events")

    @property
    def watch(self) -> str:
        """The figures of the last pass of the watch."""
        return self._own("watch")

    @property
    def incidents(self) -> str:
        """The incidents that are open, and those that ended last."""
        return self._own("incidents")

    @property
    def audit(self) -> str:
        """The stream of the changes that people made in the console."""
        return self._own("audit")

    @property
    def invalidate(self) -> str:
        """The channel of messages that make readers drop data."""
        return self._own("invalidate")

    def refreshed(self, generation: int) -> str:
        """Counts of what the refresh and erasures changed in a generation."""
        return self._own(f"refreshed:{generation}")

    @property
    def masks(self) -> KeyFamily:
        """Masked items, by user."""
        return self._beside("masked")

    def masked(self, user: str) -> str:
        """The items that a user acted on since the night."""
        return self.masks.of(user)

    def recent(self, user: str) -> str:
        """A user's recent events."""
        return self._beside("recent").of(user)

    def recent_item(self, item: str) -> str:
        """Counts of an item's recent events."""
        return self._beside("recent-item").of(item)

    def row_update(self, user: str) -> str:
        """A user's feature row since the night."""
        return self._beside("row-update").of(user)

    def item_update(self, item: str) -> str:
        """An item's feature row since the night."""
        return self._beside("item-update").of(item)

    def refreshing(self, user: str) -> str:
        """The token of the refresh that is writing a user."""
        return self._beside("refreshing").of(user)

    def prefix(self, generation: int) -> str:
        """The beginning of every key of a generation."""
        return f"shelf:{self.namespace}:{generation}:"

    def generation(self, generation: int) -> KeyFamily:
        """All keys of a generation, whichever their family."""
        return KeyFamily(self.prefix(generation))

    def lists(self, generation: int, model: str) -> KeyFamily:
        """A model's lists, by user."""
        return KeyFamily(f"{self.prefix(generation)}list:{encode_id(model)}:{{", "}")

    def family(self, generation: int, name: str) -> KeyFamily:
        """Keys of a generation's family popular, similar, user or item."""
        start = f"{self.prefix(generation)}{name}:"
        if name == "user":
            return KeyFamily(f"{start}{{", "}")
        return KeyFamily(start, encode=encode_segment if name == "popular" else encode_id)

    def list(self, generation: int, model: str, user: str) -> str:
        """A user's list."""
        return self.lists(generation, model).of(user)

    def popular(self, generation: int, segment: str) -> str:
        """A fallback list."""
        return self.family(generation, "popular").of(segment)

    def similar(self, generation: int, item: str) -> str:
        """The items similar to one."""
        return self.family(generation, "similar").of(item)

    def user(self, generation: int, user: str) -> str:
        """A user's feature row."""
        return self.family(generation, "user").of(user)

    def item(self, generation: int, item: str) -> str:
        """An item's feature row."""
        return self.family(generation, "item").of(item)

    def of_user(self, user: str) -> str:
        """The pattern for SCAN of all keys of a user, in every generation."""
        return f"shelf:{self.namespace}:*{user_tag(user)}"

    def _own(self, name: str) -> str:
        return f"shelf:{{{self.namespace}}}:{name}"

    def _beside(self, name: str) -> KeyFamily:
        start = f"shelf:{self.namespace}:{name}:"
        return KeyFamily(f"{start}{{", "}") if name in _BY_USER else KeyFamily(start)


#: The pattern for SCAN of the pointers of all namespaces.
ANY_POINTER = "shelf:{*}:current"


def user_tag(user: str) -> str:
    """Return a user's hash tag: all keys of that user end with it, and no others do."""
    return f"{{{encode_id(user)}}}"


def is_of_user(key: str) -> bool:
    """Tell whether a key belongs to a user."""
    return key.endswith("}")


def family_in(key: str) -> str:
    """Return the family of a generation's key: list, popular, similar, user or item."""
    return key.split(":", 4)[3]


class ParsedKey(NamedTuple):
    """A key taken apart; `name` is the decoded user, item or segment."""

    namespace: str
    family: str
    generation: int | None = None
    model: str | None = None
    name: str | None = None


def parse(key: bytes | str) -> ParsedKey | None:
    """Take a key apart; `None` for a key that this contract does not build.

    >>> parse("shelf:shop:7:list:als:{a%3Ab}")
    ParsedKey(namespace='shop', family='list', generation=7, model='als', name='a:b')
    >>> parse("shelf:shop:7:list:als:a%3Ab") is None
    True
    """
    try:
        text = key if isinstance(key, str) else key.decode()
        _, space, *parts = text.split(":")
        return _parsed(Keys(space.strip("{}")), parts, text)
    except ValueError:  # InvalidKey and UnicodeDecodeError among them
        return None


def _parsed(keys: Keys, parts: list[str], text: str) -> ParsedKey | None:
    """Take a key's parts after its namespace; `ValueError` where one is no number or no id."""
    generation = model = None
    match parts:
        case [family] if family in _OWN:
            return ParsedKey(keys.namespace, family) if text == keys._own(family) else None
        case ["refreshed" as family, number]:
            generation = int(number)
            known = text == keys.refreshed(generation)
            return ParsedKey(keys.namespace, family, generation) if known else None
        case [family, _] if family in (*_BY_USER, *_BY_ITEM):
            found = keys._beside(family)
        case [number, "list" as family, encoded, _]:
            generation, model = int(number), decode_id(encoded)
            found = keys.lists(generation, model)
        case [number, ("popular" | "similar" | "user" | "item") as family, *_]:
            generation = int(number)
            found = keys.family(generation, family)
        case _:
            return None
    name = found.id_in(text.encode())
    return None if name is None else ParsedKey(keys.namespace, family, generation, model, name)


def key_ttl_s(family: str, key: str, base_ttl_s: int) -> int:
    """Seconds that `key` lives: the base, spread by ±10 % by the key's own hash.

    The spread follows from the key, not from a random number, so a night is repeatable; fallback
    lists live twice the base, without spread.
    """
    if family == "popular":
        return FALLBACK_TTL_FACTOR * base_ttl_s
    share = crc32(key.encode()) / 0xFFFFFFFF
    return round(base_ttl_s * (1 - TTL_JITTER + 2 * TTL_JITTER * share))
