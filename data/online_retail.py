"""The UCI Online Retail log: a gift shop's invoices, December 2010 to December 2011.

- A row without a customer is dropped, and so is one whose stock code is no product (POST, DOT, M,
  BANK CHARGES, gift vouchers, ...): a product's code begins with five digits. Codes that differ
  only in case are one item.
- A cancellation (an invoice that begins with C, or a negative quantity) is a `return`, every other
  row a `purchase`; `value` is the revenue in pounds, negative for returns; the invoice is the
  session.
- An invoice may list an item on several lines: they are events of their own, told apart by quantity
  and price. A line repeated to the letter has the same `event_id`, and counts once in a night.
- An item's price is its median unit price, its title the most frequent description.
- An item's category is what it is called: of the words of its title (in the singular, three letters
  or more, neither colour nor size) the last that is among the 60 commonest final words over all
  items, else `other`.
- A user's segment is the country of most of their rows. Invoice times carry no zone: read as UTC.

Source: D. Chen, "Online Retail", UCI Machine Learning Repository, 2015, doi:10.24432/C5BW33.
"""

from pathlib import Path
from typing import Annotated

import duckdb
import typer

from data.console import plain_errors, show, telling
from data.csv_log import CsvMap, stage, store
from data.parquet import Imported, Tell, silent
from data.scratch import scratch

N_CATEGORIES = 60
#: Colours, sizes and such: what an item looks like, not what it is.
_LOOKS = (
    "amber assorted big black blue brown clear colour cream design gold green ivory large medium "
    "mini orange pink polkadot purple red set silver small spot tall turquoise white yellow"
)

ONLINE_RETAIL = CsvMap(
    event={
        "user_id": "CustomerID",
        "item_id": "upper(StockCode)",
        "event_type": "CASE WHEN InvoiceNo LIKE 'C%' OR Quantity < 0 THEN 'return' "
        "ELSE 'purchase' END",
        "ts": "InvoiceDate",
        "event_id": "concat_ws(':', InvoiceNo, StockCode, Quantity, UnitPrice, InvoiceDate)",
        "value": "round(Quantity * UnitPrice, 2)",
        "session_id": "InvoiceNo",
    },
    item={
        "category": "'other'",
        "title": "trim(Description)",
        "price": "median(UnitPrice) OVER (PARTITION BY upper(StockCode))",
    },
    user={"segment": "Country"},
    keep={
        "no customer": "CustomerID IS NOT NULL",
        "not a product": "regexp_matches(StockCode, '^[0-9]{5}')",
    },
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


def import_online_retail(log: Path, out: Path, tell: Tell = silent) -> Imported:
    """Write the log (`.csv` or `.csv.gz`, columns as published) as events, items and users."""
    with scratch(out) as db:
        counts = stage(db, [log], ONLINE_RETAIL, tell=tell)
        _categorise(db)
        items = db.table("items")
        counts["categories"] = len(items.unique("category"))
        counts["items in category other"] = len(items.filter("category = 'other'"))
        kinds = db.table("events").aggregate("event_type, count(*)").order("event_type")
        counts |= {f"events: {kind}": count for kind, count in kinds.fetchall()}
        return store(db, out, counts, tell)


def _categorise(db: duckdb.DuckDBPyConnection) -> None:
    """Set the category of every item by the words of its title."""
    db.execute(_CATEGORISE, {"looks": _LOOKS.split(), "n_categories": N_CATEGORIES})


def main(
    csv: Annotated[Path, typer.Argument(exists=True, dir_okay=False)],
    out: Annotated[Path, typer.Argument(file_okay=False)],
) -> None:
    """Import the UCI Online Retail CSV (or .csv.gz) into OUT.

    Example: python -m data.online_retail online_retail.csv.gz .nightshelf/online-retail
    """
    with telling("reading ...") as tell:
        written = import_online_retail(csv, out, tell)
    show(written, "online-retail")


if __name__ == "__main__":
    typer.run(plain_errors(main))
