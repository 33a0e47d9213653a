"""Categories from titles, for a catalogue without any: nouns that many titles share."""

import duckdb

N_CATEGORIES = 60
#: Colours, sizes and such, which name no category.
_LOOKS = (
    "amber assorted big black blue brown clear colour cream design gold green ivory large medium "
    "mini orange pink polkadot purple red set silver small spot tall turquoise white yellow"
)

_CATEGORISE = r"""
WITH nouns AS (
    SELECT item_id, list_filter(
        list_transform(
            regexp_split_to_array(lower(title), '[^a-z]+'),
            lambda word: regexp_replace(word, '([^aisu])s$', '\1')
        ),
        lambda word: len(word) >= 3 AND NOT list_contains($looks, word)
    ) AS words
    FROM items
), common AS (
    SELECT words[-1] AS word FROM nouns WHERE len(words) > 0
    GROUP BY word ORDER BY count(*) DESC, word LIMIT $n_categories
), placed AS (
    SELECT item_id, arg_max(word, place) AS category
    FROM (
        SELECT item_id, unnest(words) AS word, generate_subscripts(words, 1) AS place FROM nouns
    )
    WHERE word IN (FROM common) GROUP BY item_id
)
UPDATE items SET category = placed.category FROM placed WHERE items.item_id = placed.item_id
"""


def categorise(db: duckdb.DuckDBPyConnection) -> None:
    """Set the category of every row of the table `items` by the words of its title.

    It is the last of the title's words (in the singular, three letters or more, neither colour nor
    size) that is among the `N_CATEGORIES` commonest final words over all items; else it stays.
    """
    db.execute(_CATEGORISE, {"looks": _LOOKS.split(), "n_categories": N_CATEGORIES})
