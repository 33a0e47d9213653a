"""Words in names of columns, files and event types, and the roles that they suggest."""

import re
from collections.abc import Mapping

_PART = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[0-9]+")


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


ID = _set("id ids no nr number num code key uid guid uuid hash sha mbid mboxsha")
_CODES = _set("sku skus asin isbn ean upc gtin mpn")
_SESSION = _set("session visit invoice order basket transaction cart receipt checkout")
_WORDS: Mapping[str, frozenset[str]] = {
    "user": _set(
        "user customer client visitor member reviewer reader listener viewer account shopper buyer "
        "player subscriber person household student guest who cust consumer uid kunde nutzer "
        "benutzer utilisateur usuario rater watcher borrower"
    ),
    "item": _CODES
    | _set(
        "item product stock movie film book song track artist video article listing content game "
        "app course recipe business restaurant hotel what news anime beer artikel produkt goods "
        "prod show episode podcast offer joke place venue material"
    ),
    "time": _set(
        "timestamp time date datetime ts at when day happened occurred ordered created datum zeit "
        "unix epoch utc visited purchased watched played"
    ),
    "type": _set("event action type behavior behaviour activity interaction verb kind"),
    "rating": _set("rating stars star score overall"),
    "amount": _set("value amount revenue total spend paid subtotal turnover"),
    "quantity": _set("quantity qty units menge"),
    "price": _set("price cost preis prix precio"),
    "session": _SESSION,
    "title": _set("title name description label titel bezeichnung nom nombre desc"),
    "category": _set(
        "category categories genre genres department dept brand class group family aisle "
        "subcategory cat kind topic section collection kategorie abteilung store"
    ),
    "tags": _set("tags keywords genres categories labels"),
    "available": _set("available active enabled instock listed buyable"),
    "image": _set("image picture photo thumbnail img cover poster"),
    "segment": _set(
        "segment country region gender plan tier occupation language locale market land state "
        "channel"
    ),
    "property": _set("property attribute field prop"),
}
#: Words that make another thing of a user's or an item's name: `product_name`, `user_age`.
_ATTRIBUTES = frozenset().union(
    *(_WORDS[r] for r in ("title", "category", "segment", "price", "quantity", "time", "image")),
    _set("age count agent url zip email type rating average avg n days hour dow"),
)
_KNOWN = frozenset().union(*_WORDS.values(), ID, _ATTRIBUTES)
_ENDS = (
    *("id", "ids", "no", "nr", "code", "key", "name", "title", "type", "time", "date", "url"),
    *("price", "number", "at"),
)


def words_of(name: str) -> list[str]:
    """Return the words of a name, in the singular where known: `visitorid` is `visitor id`."""
    return [word for part in _PART.findall(name) for word in _split(part.lower())]


def _split(part: str) -> list[str]:
    if part in _KNOWN:
        return [part]
    if part.endswith("s") and part[:-1] in _KNOWN:
        return [part[:-1]]
    for end in _ENDS:
        stem = part.removesuffix(end)
        if stem != part and stem in _KNOWN:
            return [stem, end]
    return [part]


def score(role: str, name: str) -> int:
    """Return 0 to 3: the degree to which a column's name suggests a role."""
    words = words_of(name)
    found, rest = _WORDS[role].intersection(words), set(words) - _WORDS[role]
    if not found or _is_other(role, rest):
        return 0
    if role in ("user", "item"):
        return 3 if rest <= ID or found & _CODES else 2
    if role == "title":
        return 2 if found & {"description", "desc"} else 3
    return 3 if rest <= ID else 2


def _is_other(role: str, rest: set[str]) -> bool:
    """Tell whether the other words of a name make it another thing than a role's."""
    if role == "user":
        return bool(_ATTRIBUTES & rest)
    if role == "item":
        return bool((_ATTRIBUTES | _WORDS["user"]) & rest)
    if role == "title":
        return bool(_WORDS["user"] & rest)
    if role in ("session", "type"):
        return bool((_WORDS["title"] | _WORDS["time"] | {"dow", "hour"}) & rest)
    return role == "time" and bool((_WORDS["quantity"] | {"days", "hour", "dow"}) & rest)


#: Words of an event type or a file -> its canonical meaning.
_MEANINGS: Mapping[str, str] = {
    word: meaning
    for meaning, words in {
        "impression": "impression exposure shown displayed served",
        "purchase": "purchase buy bought buys order ordered orders sale sales sold transaction "
        "transactions checkout paid payment invoice invoices retail conversion booking "
        "kauf rental rented loan borrow purchases bookings bestellung bestellungen",
        "add_to_cart": "cart carts addtocart atc add basket",
        "wishlist_add": "wishlist wish save saved bookmark fav favorite favourite follow",
        "view": "view views pageview pageviews pv page detail visit visits browse open read reads "
        "seen look watch watched stream play plays played listen listens listening scrobble hit",
        "click": "click clicks clicked tap",
        "like": "like likes love heart upvote thumbsup",
        "dislike": "dislike hide downvote thumbsdown skip report",
        "rating": "rating ratings rate rated review reviews score stars",
        "return": "return returns returned refund refunded cancel cancelled cancellation storno",
        "idle": "login logout signup register profile search error session heartbeat",
    }.items()
    for word in words.split()
}
#: A cart from which something is removed is no cart.
_REMOVED = _set("remove removed delete deleted removefromcart unlike")


def meaning_of(name: str) -> str:
    """Return the canonical meaning of an event type or a file's name, empty where unknown."""
    parts = [part.lower() for part in _PART.findall(name)]
    if {"no", "not", "without"}.intersection(parts):
        return ""
    if _REMOVED.intersection(parts):
        return "removal"
    found = [_MEANINGS[part] for part in parts if part in _MEANINGS]
    return next((each for each in found if each != "view"), found[0] if found else "")
