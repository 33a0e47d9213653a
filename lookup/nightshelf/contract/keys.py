"""The lookup contract, version 1: every key, its type, what it holds and how long it lives.

Any language can read Nightshelf with plain GETs. `<ns>` is the namespace (a tenant, a scene, a
surface), `<gen>` a positive integer that only grows, and every id is UTF-8 with all but RFC 3986's
unreserved characters percent-encoded, so that no id can collide with another key.

====================================== ====== ========================================== ===========
key                                    type   holds                                      TTL
====================================== ====== ========================================== ===========
``shelf:<ns>:current``                 string the live generation's manifest (JSON)      none
``shelf:<ns>:generations``             hash   generation -> manifest, with its state     none
``shelf:<ns>:fence``                   hash   what holds flips back: see below           none
``shelf:<ns>:<gen>:list:<model>:<id>`` string the user's list                            base ± 10 %
``shelf:<ns>:<gen>:popular:<segment>`` string fallback list                              2 x base
``shelf:<ns>:<gen>:similar:<id>``      string items like this one                        base ± 10 %
``shelf:<ns>:<gen>:user:<id>``         string the user's feature row (JSON)              base ± 10 %
``shelf:<ns>:<gen>:item:<id>``         string the item's feature row (JSON)              base ± 10 %
``shelf:<ns>:blocked``                 set    items withdrawn at once, on every path     none
``shelf:<ns>:unavailable``             set    items out of stock since the night         none
``shelf:<ns>:acted:<id>``              zset   items the user is done with, by time       2 x base
``shelf:<ns>:waiting``                 zset   users who ask for a fresh list, by time    2 x base
``shelf:<ns>:lately:<id>``             zset   what the user did lately, by time          an hour
``shelf:<ns>:lately-item:<id>``        hash   what was done with the item lately         hours
``shelf:<ns>:fresh:<id>``              string the user's feature row since the night     an hour
``shelf:<ns>:fresh-item:<id>``         string the item's feature row since the night     hours
``shelf:<ns>:refreshed:<gen>``         hash   what the refresh and erasures did there    2 x base
``shelf:<ns>:events``                  stream what apps tell; field ``user_id`` is raw   trimmed
``shelf:<ns>:invalidate``              (channel) what readers shall drop                 -
====================================== ====== ========================================== ===========

The fence holds ``allotted`` and ``flipped`` (the highest numbers given out, and made live by a
publisher), ``pinned`` (the generation that is held live; absent where none is) and ``moved_at``
(Unix seconds by the server's clock when readers were last sent to another generation).

A segment is ``all``, ``trending``, ``new``, ``category:<category>`` or ``segment:<user segment>``;
the part after the colon is encoded like an id.

A list is compact JSON (docs/decisions/0005-payload.md)::

    {"items":["B2","A7"],"scores":[0.91,0.4],"reasons":[["because","C9"],["taste"]],"why":[0,1]}

``why[i]`` is the position in ``reasons`` of the reason for ``items[i]``. A reason is a code and
what it needs: ``["because", item]`` (the item of the user's own history that weighs most),
``["again"]`` (it is that item itself), ``["taste"]`` (no single item does),
``["discover", category]`` (a category of the user's taste, an item that few are shown),
``["popular", segment]``, ``["trending"]``, ``["new"]``, ``["similar", item]``.

To read: GET ``current`` and SMEMBERS ``blocked`` and ``unavailable`` (keep them for a second), take
``generation`` and ``default_model`` from the first, GET the list and ZRANGE ``acted:<id>`` 0 -1; if
there is no list, GET ``user:<id>`` for the user's ``favorite_categories`` and ``segment``, then the
popular lists of those categories (taking from each in turn), of that segment and of ``all``.
Leave out what is blocked, unavailable or acted on, wherever it stands, and call a reason that names
what is blocked ``taste``; lists are longer than pages so that their tails fill.

The refresh writes anew, in the generation that is served, the lists of users who acted since the
night; a manifest's ``digest`` and ``counts`` are of what the night wrote. A user's row as of the
refresh is ``fresh:<id>``, an item's ``fresh-item:<id>``, to be read with ``user:<id>`` and
``item:<id>`` and preferred to them while they live (an item's by its counters and ``as_of``: the
rest may have been revised since); whom the night did not know has a ``user:<id>`` as well.
``refreshed:<gen>`` holds ``added`` (keys of the generation beyond those that the night
wrote), ``forgotten`` (its keys that were erased with their users) and ``swept`` (the ``moved_at``
for which everyone who had acted since the night was put into ``waiting``).

All times that a publisher or an operator writes are by Redis's own clock.

What users did since stands beside the rows, and a reader adds it up by the manifest's ``counting``
(docs/decisions/0027-lately.md; without ``counting`` nothing is added). What is ``idle`` there never
counts, and of entries with one ``event_id`` only the first.

- A user's row holds all up to its own ``last_seen``. An entry of ``lately:<id>``, scored with its
  time in Unix seconds, is compact JSON: ``["<event_id>","<event_type>","<item>"]``, and the value
  as a fourth where there is one. Each entry after ``last_seen`` adds 1 to ``events``, moves
  ``last_seen`` (``first_seen`` and ``created_at`` where they are null), adds 1 to
  ``total_purchases`` for a type in ``purchases`` (absent: ``purchase``), its value to the mean
  ``avg_rating`` of ``num_ratings`` for a type in ``ratings``, and puts its item first in
  ``recent_views`` for a type in ``views`` (``n_recent`` items stay, none twice). A user without a
  row begins at 0 and empty lists.
- An item's row holds all up to its ``as_of``, which only ``fresh-item:<id>`` has, else to the
  manifest's. A field of ``lately-item:<id>`` is ``<quarter>:<event_type>`` (number of events) with
  ``:n`` (of those with a value) or ``:sum`` (of their values, in millionths) after it; the quarter
  is Unix time in whole quarters of an hour, the type is encoded like an id. Quarters that begin
  then or later count: each event adds its weight to ``popularity_score``, 0 at least, halved for
  every ``half_life_days`` of whole UTC days since, as the row's own score is since then; values of
  types in ``ratings`` go into ``avg_rating`` and ``num_ratings``.

To tell: an entry of ``events`` has the fields ``event_id`` (who sends twice sends the same),
``user_id``, ``event_type``, ``ts`` (ISO 8601, UTC) and, where they apply, ``item_id``, ``value``
(of a purchase its revenue), ``generation``, ``model``, ``variant``, ``position`` (from 1) and
``latency_ms`` (of an ``impression``: how long the page waited for the list). The manifest's
``counting`` says which types do what (docs/decisions/0035-event-types.md): a type in ``seen`` takes
the item off the user's lists, and is added to ``acted:<id>`` with its time in Unix seconds (the
latest `MAX_ACTED` stay); it and others with a weight or in ``ratings`` or ``purchases``, but those
in ``views``, ask for a fresh list, which adds the raw user id to ``waiting`` likewise, and publish
``user:<id>`` on ``invalidate``, as does a type in ``idle`` that is told without an item. A type
that stands nowhere in ``counting`` is told all the same, and asks for a fresh list alone. A
conversion is of the first type in ``purchases`` (``purchase`` where there is none). Other messages:
``row:<id>`` (the user's row alone has changed), ``item:<id>`` (its row has), ``seen`` (``blocked``
or ``unavailable`` has), ``forget:<id>`` (nothing of that user may be kept). To be in the rows at
once, an event with an item adds its entry to ``lately:<id>`` (ZADD NX; the latest `MAX_LATELY`
stay; the TTL counts from the last) and to the counts of ``lately-item:<id>`` (HINCRBY; the TTL
counts from the first, EXPIRE NX), which are taken back where ZADD finds the entry there already.

A canary is another generation for a share of the users. Where ``current`` holds ``canary``
(``generation``, ``share`` in percent, ``default_model``), a user is in it if the first four bytes
of SHA-256 over ``<canary's generation>:<user id>`` (UTF-8, not encoded), as a big-endian number,
times 100, are below ``share`` times 2^32 (`in_canary`); such a user's keys are those of that
generation.
"""

import re
from dataclasses import dataclass
from hashlib import sha256
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
MAX_ACTED = 1_000
#: Events that are kept for one user until a row holds them: an evening's, and a bound for robots.
#: Redis packs 128 densely, and one is added before the oldest goes.
MAX_LATELY = 127
#: What is done with an item is counted by the quarter of an hour, in Unix time.
QUARTER_S = 900

#: What an id needs no encoding for.
_PLAIN = re.compile(rf"[A-Za-z0-9._~-]{{1,{MAX_ID_BYTES}}}")
_NAMESPACE = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_PLAIN_SEGMENTS = ("all", "trending", "new")
_NAMED_SEGMENTS = ("category", "segment")


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
    except TypeError:  # as of a number: `nightshelf.contract.ids` makes text of what apps have
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
        return f"shelf:{self.namespace}:current"

    @property
    def generations(self) -> str:
        """Every generation's manifest, by number."""
        return f"shelf:{self.namespace}:generations"

    @property
    def fence(self) -> str:
        """What holds flips back: the highest numbers allotted and flipped, and the pin."""
        return f"shelf:{self.namespace}:fence"

    @property
    def blocked(self) -> str:
        """The items that are withdrawn from every path."""
        return f"shelf:{self.namespace}:blocked"

    @property
    def unavailable(self) -> str:
        """The items that have gone out of stock since the night."""
        return f"shelf:{self.namespace}:unavailable"

    @property
    def waiting(self) -> str:
        """The users who ask for a fresh list."""
        return f"shelf:{self.namespace}:waiting"

    @property
    def invalidate(self) -> str:
        """The channel on which readers are told what to drop."""
        return f"shelf:{self.namespace}:invalidate"

    @property
    def events(self) -> str:
        """The stream of what apps tell."""
        return f"shelf:{self.namespace}:events"

    @property
    def masked(self) -> str:
        """What the keys of `acted` begin with; the user's encoded id follows."""
        return f"shelf:{self.namespace}:acted:"

    def acted(self, user: str) -> str:
        """What a user is done with since the night."""
        return f"{self.masked}{encode_id(user)}"

    def lately(self, user: str) -> str:
        """What a user did lately."""
        return f"shelf:{self.namespace}:lately:{encode_id(user)}"

    def lately_item(self, item: str) -> str:
        """What was done with an item lately."""
        return f"shelf:{self.namespace}:lately-item:{encode_id(item)}"

    def fresh(self, user: str) -> str:
        """A user's feature row since the night."""
        return f"shelf:{self.namespace}:fresh:{encode_id(user)}"

    def fresh_item(self, item: str) -> str:
        """An item's feature row since the night."""
        return f"shelf:{self.namespace}:fresh-item:{encode_id(item)}"

    def refreshed(self, generation: int) -> str:
        """What the refresh has done to a generation."""
        return f"shelf:{self.namespace}:refreshed:{generation}"

    def prefix(self, generation: int) -> str:
        """What every key of a generation begins with."""
        return f"shelf:{self.namespace}:{generation}:"

    def lists(self, generation: int, model: str) -> str:
        """What the keys of a model's lists begin with; the user's encoded id follows."""
        return f"{self.prefix(generation)}list:{encode_id(model)}:"

    def list(self, generation: int, model: str, user: str) -> str:
        """A user's list."""
        return f"{self.lists(generation, model)}{encode_id(user)}"

    def popular(self, generation: int, segment: str) -> str:
        """A fallback list."""
        return f"{self.prefix(generation)}popular:{encode_segment(segment)}"

    def similar(self, generation: int, item: str) -> str:
        """Items like this one."""
        return f"{self.prefix(generation)}similar:{encode_id(item)}"

    def user(self, generation: int, user: str) -> str:
        """A user's feature row."""
        return f"{self.prefix(generation)}user:{encode_id(user)}"

    def item(self, generation: int, item: str) -> str:
        """An item's feature row."""
        return f"{self.prefix(generation)}item:{encode_id(item)}"


def key_ttl_s(family: str, key: str, base_ttl_s: int) -> int:
    """Seconds that `key` lives: the base, spread by ±10 % by the key's own hash.

    The spread follows from the key, not from a random number, so a night is repeatable; fallback
    lists live twice the base, without spread.
    """
    if family == "popular":
        return FALLBACK_TTL_FACTOR * base_ttl_s
    share = crc32(key.encode()) / 0xFFFFFFFF
    return round(base_ttl_s * (1 - TTL_JITTER + 2 * TTL_JITTER * share))


def in_canary(user: str, generation: int, share: float) -> bool:
    """Tell whether a user is among the `share` percent who are served `generation` as a canary.

    A greater share takes in all of a smaller one; another generation draws other users.

    >>> [user for user in ("u1", "u2", "u3", "u4") if in_canary(user, 44, 50)]
    ['u3']
    """
    hashed = sha256(f"{generation}:{user}".encode("utf-8", "surrogatepass"))
    return int.from_bytes(hashed.digest()[:4], "big") * 100 < share * 2**32
