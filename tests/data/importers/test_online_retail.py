from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from data.importers.online_retail import import_online_retail
from data.schema import InputError
from tests.conftest import RealLog

HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
ROWS = """536365,85123A,WHITE HANGING HEART T-LIGHT HOLDER,6,2010-12-01 08:26:00,2.55,17850.0,France
536365,85123a,WHITE HANGING HEART T-LIGHT HOLDER,2,2010-12-01 08:26:00,3.55,17850.0,France
536370,85123A,wrong title,1,2010-12-01 08:45:00,9.99,12583.0,Norway
C536379,22556,PLASTERS IN TIN CIRCUS PARADE ,-12,2010-12-01 10:24:00,1.65,17850.0,Spain
536380,22556,PLASTERS IN TIN CIRCUS PARADE ,-3,2010-12-02 10:24:00,1.65,12583.0,Norway
536381,22138,BAKING SETS 9 PIECE RED,1,2010-12-02 10:30:00,4.95,12583.0,Norway
536382,22139,,56,2010-12-02 11:00:00,0.0,,United Kingdom
536383,POST,POSTAGE,3,2010-12-02 11:00:00,18.0,12583.0,Norway
536384,gift_0001_20,Dotcomgiftshop Gift Voucher,1,2010-12-02 11:00:00,16.67,12583.0,Norway
"""


def rows(path: Path) -> list[dict[str, Any]]:
    read: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    return read


def test_rules(tmp_path: Path) -> None:
    log = tmp_path / "retail.csv"
    log.write_text(HEADER + ROWS)
    done = import_online_retail(log, tmp_path / "out")
    assert done.rows[0].lines() == [
        "9 rows read = 6 kept + 3 refused",
        "  1 refused: no customer "
        "(retail.csv line 8: '536382,22139,56,2010-12-02 11:00:00,0.0,United Kingdom')",
        "  2 refused: not a product "
        "(retail.csv line 9: '536383,POST,POSTAGE,3,2010-12-02 11:00:00,18.0,12583.0,Norway')",
    ]
    assert done.counts["events written"] == 6
    events = [
        (e["user_id"], e["item_id"], e["event_type"], e["value"], e["session_id"])
        for e in rows(done.events)
    ]
    assert events == [
        ("17850", "85123A", "purchase", 7.1, "536365"),
        ("17850", "85123A", "purchase", 15.3, "536365"),
        ("12583", "85123A", "purchase", 9.99, "536370"),
        ("17850", "22556", "return", -19.8, "C536379"),
        ("12583", "22556", "return", -4.95, "536380"),
        ("12583", "22138", "purchase", 4.95, "536381"),
    ]
    assert [tuple(row.values()) for row in rows(done.items)] == [
        ("22138", "piece", "BAKING SETS 9 PIECE RED", 4.95),
        ("22556", "parade", "PLASTERS IN TIN CIRCUS PARADE", 1.65),
        ("85123A", "holder", "WHITE HANGING HEART T-LIGHT HOLDER", 3.55),
    ]
    assert done.users is not None
    assert [(u["user_id"], u["segment"]) for u in rows(done.users)] == [
        ("12583", "Norway"),
        ("17850", "France"),
    ]
    assert done.as_of == date(2010, 12, 3)


def retail(folder: Path, *lines: str, encoding: str = "utf-8") -> Path:
    log = folder / "retail.csv"
    log.write_bytes((HEADER + "".join(f"{line}\n" for line in lines)).encode(encoding))
    return log


def test_no_cancellation_is_fine(tmp_path: Path) -> None:
    log = retail(tmp_path, "500001,90001A,A BOX,6,2010-12-01 08:26:00,2.55,10001,Nowhere")
    done = import_online_retail(log, tmp_path / "out")
    assert [(e["event_type"], e["value"]) for e in rows(done.events)] == [("purchase", 15.3)]


@pytest.mark.parametrize(
    ("dates", "read_as", "first"),
    [
        (["12/1/2010 8:26", "12/1/2010 9:26"], "%m/%d/%Y %H:%M", "2010-12-01"),
        (["1/12/2010 8:26", "31/1/2011 8:26"], "%d/%m/%Y %H:%M", "2010-12-01"),
        (["2/3/2011 8:26", "2/13/2011 8:26"], "%m/%d/%Y %H:%M", "2011-02-03"),
        (["12-01-2010 08:26", "30-06-2011 08:26"], "%d-%m-%Y %H:%M", "2010-01-12"),
        (["12/1/10 8:26"], "%m/%d/%y %H:%M", "2010-12-01"),
    ],
)
def test_dates_are_read_by_the_whole_column(
    tmp_path: Path, dates: list[str], read_as: str, first: str
) -> None:
    lines = [f"500001,90001A,A £ BOX,6,{day},2.55,10001,Nowhere" for day in dates]
    done = import_online_retail(retail(tmp_path, *lines, encoding="latin-1"), tmp_path / "out")
    assert f"{rows(done.events)[0]['ts']:%Y-%m-%d}" == first
    assert done.notes == [f"InvoiceDate is read as {read_as}"]
    assert rows(done.items)[0]["title"] == "A £ BOX"


@pytest.mark.parametrize(
    ("day", "message"),
    [
        ("2/3/2011 8:26", r"fits %m/%d/%Y %H:%M and %d/%m/%Y %H:%M: .*--date-format"),
        ("soon", r"neither ISO 8601 .*retail\.csv line 2: 'soon'.*--date-format"),
    ],
)
def test_dates_that_cannot_be_told_are_refused(tmp_path: Path, day: str, message: str) -> None:
    log = retail(tmp_path, f"500001,90001A,A BOX,6,{day},2.55,10001,Nowhere")
    with pytest.raises(InputError, match=message):
        import_online_retail(log, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    if day != "soon":
        done = import_online_retail(log, tmp_path / "out", date_format="%d/%m/%Y %H:%M")
        assert done.as_of == date(2011, 3, 3)


def test_another_header_is_refused_with_what_was_found(tmp_path: Path) -> None:
    log = tmp_path / "retail.csv"
    log.write_text(HEADER.replace("CustomerID", "Customer") + ROWS)
    with pytest.raises(
        InputError, match=r"expected the columns InvoiceNo, .*has: .*Customer, Coun"
    ):
        import_online_retail(log, tmp_path / "out")


def test_the_real_log(real_log: RealLog, tmp_path: Path) -> None:
    done = import_online_retail(real_log("online-retail/online_retail.csv.gz"), tmp_path)
    assert done.counts == {
        "rows read": 541_909,
        "rows kept": 404_909,
        "rows refused": 137_000,
        "categories": 61,
        "items in category other": 1_073,
        "events: purchase": 396_370,
        "events: return": 8_539,
        "events written": 404_909,
        "items written": 3_676,
        "users written": 4_363,
    }
    refused = {why: refusal.count for why, refusal in done.rows[0].refused.items()}
    assert refused == {"no customer": 135_080, "not a product": 1_920}
    assert done.as_of == date(2011, 12, 10)
    events = pq.read_table(done.events)
    assert pc.all(pc.equal(pc.less(events["value"], 0), pc.equal(events["event_type"], "return")))
    assert sum(column.null_count for column in events.columns) == 0
    lines = events.group_by(["user_id", "item_id", "ts", "value", "session_id"]).aggregate([])
    assert pc.count_distinct(events["event_id"]).as_py() == lines.num_rows == 399_687
