"""SQL for ids and numbers of a column of text."""

from data.importers.csv_table import quoted
from nightshelf_ops.init.columns import Column

_MOST = 0.95


def id_sql(column: Column) -> str:
    """Return SQL for an id: as written, but 7 for 7.0 where every value is so."""
    text = quoted(column.name)
    if column.point_zero >= _MOST:
        return f"regexp_replace({text}, '[.]0+$', '')"
    return text


def number_sql(column: Column) -> str:
    """Return SQL for a number, with a comma or a point, with or without a currency's sign."""
    text = quoted(column.name)
    if column.comma > 0.3:
        text = f"replace({text}, ',', '.')"
    if not column.is_number:
        text = f"regexp_extract(replace({text}, ',', ''), '[0-9]+([.][0-9]+)?')"
    return f"TRY_CAST({text} AS DOUBLE)"
