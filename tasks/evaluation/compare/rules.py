"""Rules of lists, one added after another, so that the price of each is seen."""

from dataclasses import replace

from tasks.evaluation.judged_lists import unruled
from tasks.recommend.settings import TopNSettings

SCORE = "score alone"
CATEGORY_CAP = "category cap"
#: Values at which rules that are off are judged where every rule is asked for.
_SHARE, _SLOTS = 0.1, 1


def rules_of(settings: TopNSettings, *, every: bool = False) -> dict[str, TopNSettings]:
    """Return the settings after each rule in force, by name, in the order in which rules apply.

    The first is the score alone, the last of those in force are the settings themselves. `every`
    adds the rules that are off: MMR, an exposure cap of 10 % and one explored place a page, each
    over the category cap alone.

    >>> list(rules_of(TopNSettings(max_item_share=0.05)))
    ['score alone', 'category cap', '+ exposure cap 5 %']
    """
    rules = {SCORE: unruled(settings)}
    at = replace(settings.plain, rerank=settings.rerank)
    if settings.rerank != "none":
        rules[CATEGORY_CAP if settings.rerank == "cap" else settings.rerank] = at
    if settings.max_item_share < 1:
        at = replace(at, max_item_share=settings.max_item_share)
        rules["+ " + _capped(settings.max_item_share)] = at
    if settings.explore_slots:
        at = replace(at, explore_slots=settings.explore_slots)
        rules["+ " + _explored(settings.explore_slots)] = at
    if every:
        plain = settings.plain
        others = {
            CATEGORY_CAP: plain,
            "mmr": replace(plain, rerank="mmr"),
            _capped(_SHARE): replace(plain, max_item_share=_SHARE),
            _explored(_SLOTS): replace(plain, explore_slots=_SLOTS),
        }
        rules |= {name: rule for name, rule in others.items() if rule not in rules.values()}
    return rules


def is_served(rule: TopNSettings, settings: TopNSettings) -> bool:
    """Tell whether a rule is that of the settings."""
    return replace(settings, active_within_days=None) == replace(rule, active_within_days=None)


def _capped(share: float) -> str:
    return f"exposure cap {100 * share:g} %"


def _explored(slots: int) -> str:
    return f"explore {slots}"
