"""The audit in Redis and in the folder of runs."""

import json
from contextlib import closing
from pathlib import Path
from typing import Any

from redis import Redis

from nightshelf.admin import audit
from nightshelf.client.transport.connection import connect
from nightshelf.contract.keys import Keys
from tests.lookup.shelves import SHOP

LINE: dict[str, Any] = {"who": "olga", "action": "block", "what": "i<1>\n", "outcome": "done: é"}


def test_a_line_stands_in_both_places(redis_client: Redis, tmp_path: Path) -> None:
    runs = tmp_path / "runs" / SHOP
    for number in range(3):
        line = LINE | {"what": str(number)}
        assert audit.record(redis_client, SHOP, **line, runs=runs) == ()
    found = audit.lines(redis_client, SHOP, 2)
    assert [each.what for each in found] == ["2", "1"], "the newest first"
    assert found[0].outcome == "done: é" and found[0].at.endswith("+00:00")
    written = [json.loads(line) for line in (runs / audit.FILE).read_text().splitlines()]
    assert [each["what"] for each in written] == ["0", "1", "2"]
    assert written[2] == vars(found[0])


def test_a_line_break_in_a_field_is_no_line_of_its_own(redis_client: Redis, tmp_path: Path) -> None:
    audit.record(redis_client, SHOP, **LINE, runs=tmp_path)
    assert len((tmp_path / audit.FILE).read_text().splitlines()) == 1
    assert audit.lines(redis_client, SHOP, 1)[0].what == LINE["what"]


def test_the_stream_is_trimmed(redis_client: Redis) -> None:
    with redis_client.pipeline() as pipe:
        for at in range(audit.KEPT + 500):
            pipe.xadd(Keys(SHOP).audit, {"who": str(at)})
        pipe.execute()
    audit.record(redis_client, SHOP, **LINE)
    assert audit.KEPT <= redis_client.xlen(Keys(SHOP).audit) < audit.KEPT + 200


def test_a_place_that_cannot_be_written_is_named(dead_url: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    with closing(connect(dead_url)) as dead:
        stream, folder = audit.record(dead, SHOP, **LINE, runs=file / "runs")
        assert stream.startswith("the stream shelf:{shop}:audit: ")
        assert str(file) in folder
        assert len(audit.record(dead, SHOP, **LINE, runs=tmp_path)) == 1, "the file has the line"
    assert json.loads((tmp_path / audit.FILE).read_text())["who"] == "olga"
