"""Parts of a page of docs/ that a command writes, each between two marks that name it."""


def rewritten(page: str, name: str, lines: list[str]) -> str:
    """Return the page with the part of a name made anew; `ValueError` where the page has none."""
    begin, end = f"<!-- measured by {name}: begin -->", f"<!-- measured by {name}: end -->"
    before, found, rest = page.partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise ValueError(f"the page has no {begin} ... {end}")
    return "\n".join([before + begin, "", *lines, "", end + after])
