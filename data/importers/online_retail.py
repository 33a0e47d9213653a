"""The UCI Online Retail log: a gift shop's invoices, December 2010 to December 2011.

- A row without a customer is dropped, and so is one whose stock code is no product (POST, DOT, M,
  BANK CHARGES, gift vouchers, ...): a product's code begins with five digits. Codes that differ
  only in case are one item.
- A cancellation (an invoice that begins with C, or a negative quantity) is a `return`, every other
  row a `purchase`; `value` is the revenue in pounds, negative for returns; the invoice is the
  session.
- An invoice may list an item on several lines: these are separate events if quantity or price
  differ. A line repeated to the letter has the same `event_id`, and counts once in a night.
- An item's price is its median unit price, its title the most frequent description.
- An item's category is a noun of its title: of its words (in the singular, three letters
  or more, neither colour nor size) the last that is among the 60 commonest final words over all
  items, else `other`.
- A user's segment is the country of most of their rows. Invoice times carry no zone: read as UTC.
- Invoice dates are ISO 8601, or `12/1/2010 8:26` as in the copy on Kaggle: the order of month and
  day follows from the whole column, and from the days of the log.

Source: D. Chen, "Online Retail", UCI Machine Learning Repository, 2015, doi:10.24432/C5BW33.
"""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import duckdb
import typer

from data.cli import plain_errors, show, status
from data.duckdb_session import scratch
from data.importers.csv_dialect import Dialect
from data.importers.csv_import import CsvMap, advice_for_csv_log, stage, store
from data.importers.csv_table import Table, load, require_columns
from data.importers.csv_text import utf8_or_latin1
from data.importers.times import fitting_formats, is_iso
from data.importers.title_categories import categorise
from data.schema import Imported, InputError, Report, silent

_COLUMNS = (
    *("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice"),
    *("CustomerID", "Country"),
)
#: The days of the log.
_SPAN = "BETWEEN TIMESTAMP '2010-12-01' AND TIMESTAMP '2011-12-10'"

ONLINE_RETAIL = CsvMap(
    event={
        "user_id": r"regexp_replace(CustomerID, '\.0$', '')",
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


def import_online_retail(
    log: Path,
    out: Path,
    report: Report = silent,
    *,
    encoding: str | None = None,
    date_format: str | None = None,
) -> Imported:
    """Write the log (CSV, plain or in gzip, columns as published) as events, items and users.

    Without an encoding it is UTF-8, or latin-1 where that does not fit. `date_format` is
    strptime's. `InputError` where a column is missing, or the order of month and day is open.
    """
    with scratch(out) as held, advice_for_csv_log():
        dialect = Dialect(encoding=encoding or utf8_or_latin1(log))
        table = load(held.db, "log", [log], dialect, report=report)
        require_columns(table, _COLUMNS)
        order = [date_format] if date_format else _date_formats(table)
        time = f"strptime(InvoiceDate, '{order[0]}')" if order else "InvoiceDate"
        columns = replace(ONLINE_RETAIL, event={**ONLINE_RETAIL.event, "ts": time})
        staged = stage(held.db, table, columns, report=report)
        staged.notes.extend(f"InvoiceDate is read as {read_as}" for read_as in order)
        categorise(held.db)
        items = held.db.table("items")
        facts = {
            "categories": len(items.unique("category")),
            "items in category other": len(items.filter("category = 'other'")),
        }
        kinds = held.db.table("events").aggregate("event_type, count(*)").order("event_type")
        facts |= {f"events: {kind}": count for kind, count in kinds.fetchall()}
        return store(held, staged, report, facts)


def _date_formats(table: Table) -> list[str]:
    """Return the one format of the dates, none for ISO 8601; `InputError` where two fit."""
    known = table.relation.filter("InvoiceDate IS NOT NULL")
    if len(known.filter(is_iso("InvoiceDate")).limit(1)):
        return []
    fit = fitting_formats(table.relation, "InvoiceDate")
    likely = [f for f in fit if _within_span(known, f)] or fit
    if len(likely) == 1:
        return likely
    if likely:
        raise InputError(f"InvoiceDate fits {' and '.join(likely)}: name one with --date-format")
    found = table.first("InvoiceDate IS NOT NULL", "InvoiceDate")
    where = f": {found[1]}" if found else ""
    raise InputError(
        f"InvoiceDate is neither ISO 8601 nor of one format throughout{where}. "
        "Name its format: --date-format '%m/%d/%Y %H:%M'"
    )


def _within_span(known: duckdb.DuckDBPyRelation, date_format: str) -> bool:
    time = f"strptime(trim(InvoiceDate), '{date_format}')"
    return bool(known.aggregate(f"bool_and({time} {_SPAN})").fetchall()[0][0])


def main(
    csv: Annotated[Path, typer.Argument(exists=True, dir_okay=False)],
    out: Annotated[Path, typer.Argument(file_okay=False)],
    *,
    encoding: Annotated[
        str | None, typer.Option(help="Default: UTF-8, or latin-1 where that does not fit.")
    ] = None,
    date_format: Annotated[
        str | None, typer.Option(help="strptime's; default: ISO 8601, or as the dates show.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the counts as JSON.")] = False,
) -> None:
    """Import the UCI Online Retail CSV (or .csv.gz) into OUT.

    Example: python -m data.importers.online_retail online_retail.csv.gz .nightshelf/online-retail
    """
    with status("reading ...") as report:
        written = import_online_retail(
            *(csv, out, report), encoding=encoding, date_format=date_format
        )
    show(written, "online-retail", json=json)


if __name__ == "__main__":
    typer.run(plain_errors(main))
