"""Measurements of fault tests: printed with each test, as a table at the end, and for the page.

`python -m pytest tests/faults --write-reliability docs/reliability.md` rewrites the page's table.
"""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from redis import Redis

TITLES = {
    1: "Publisher killed (kill -9) at 10, 50, 95 % of its writing, just before and after its flip",
    2: "Publisher frozen (SIGSTOP) before or inside its flip; wakes after a newer night went live",
    3: "One list dropped or altered after it was written",
    4: "Empty, halved, duplicated input",
    5: "maxmemory at 1.3 generations, under every eviction policy",
    6: "Old generation retired under 1,000 reads a second with cached pointers",
    7: "Server killed in mid-publish, back empty or back with its RDB",
    8: "Connection cut after a random number of bytes, during 200 publications",
    9: "Crash after each step of the night",
    10: "100,000 hostile ids",
    11: "Least-privilege logins",
    12: "Rollback under 1,000 reads a second, at maxmemory",
    13: "Collector of tracked events killed (kill -9) at each step of collecting and of compacting",
    14: "Readers with a deadline of 50 ms while Redis is frozen (SIGSTOP), and while nights flip",
    15: "Publishers whose clock is hours off, and generations that have lost keys",
    16: "Disk full, or read-only, in a night, a collection and a compaction",
}
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
HEADER = ("fault", "what was done", "server", "measured")
_FIXTURES = ("own_redis_url", "redis_url")

Figure = tuple[int, str, str]  # fault, measured, server
_PROPERTY = "fault"  # of a test's report, which comes over from a worker process too


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--write-reliability", type=Path, metavar="PATH", help="rewrite the table in this page"
    )


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Callable[[int, str], None]:
    """Record a measurement of a fault's test, by the fault's number, with the server it ran on."""
    url = next((n for n in _FIXTURES if n in request.fixturenames), None)
    server = _server(request.getfixturevalue(url)) if url else ""

    def record(fault: int, measured: str, server: str = server) -> None:
        assert fault in TITLES, f"fault {fault} has no title in {__name__}"
        print(f"fault {fault} ({TITLES[fault]}), {server or 'any server'}: {measured}")
        request.node.user_properties.append((_PROPERTY, (fault, measured, server)))

    return record


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, exitstatus: int, config: pytest.Config
) -> None:
    figures = _figures(terminalreporter)
    if not figures:
        return
    terminalreporter.section("faults")
    for line in table(figures):
        terminalreporter.write_line(line)
    page: Path | None = config.getoption("--write-reliability", None)
    if page is not None and exitstatus == pytest.ExitCode.OK:
        page.write_text(rewritten(page.read_text(), table(figures)))
        terminalreporter.write_line(f"wrote {page}")
    elif page is not None:
        terminalreporter.write_line(f"{page} is as it was: not every test passed")


def _figures(terminalreporter: pytest.TerminalReporter) -> list[Figure]:
    reports = [report for passed in terminalreporter.stats.values() for report in passed]
    return [
        value
        for report in reports
        if getattr(report, "when", None) == "call"
        for name, value in report.user_properties
        if name == _PROPERTY
    ]


def table(figures: list[Figure]) -> list[str]:
    """Return the lines of a Markdown table: every fault, equal figures of servers in one row."""
    rows = [HEADER, ("---",) * len(HEADER)]
    for fault, title in TITLES.items():
        servers: dict[str, list[str]] = {}
        for number, measured, server in figures:
            if number == fault:
                servers.setdefault(measured, []).append(server)
        for measured, ran_on in (servers or {"not measured": []}).items():
            rows.append((str(fault), title, ", ".join(sorted(set(ran_on))), measured))
    return ["| " + " | ".join(row) + " |" for row in rows]


def rewritten(page: str, lines: list[str], marks: tuple[str, str] = (BEGIN, END)) -> str:
    """Return the page with what stands between its two marks replaced."""
    before, begin, rest = page.partition(marks[0])
    _, end, after = rest.partition(marks[1])
    assert begin and end, f"the page has no {' ... '.join(marks)}"
    return "\n".join([before + begin, "", *lines, "", end + after])


def _server(url: str) -> str:
    with closing(Redis.from_url(url)) as client:
        about: dict[str, str] = client.info("server")
    name = about.get("server_name", "redis")
    return f"{name} {about.get(f'{name}_version', about['redis_version'])}".capitalize()
