"""Visitors of a shop, to try an experiment on: each is shown a list, and some buy.

An app does the same three things: it reads a list, says that it was shown, and says what was
bought. Which experiment and variant a list belongs to comes with the list.

    python examples/visitors.py --users 4000 --rate als-alone:als=0.2

Visitors of other variants buy at `--base`. Same users and seed, same purchases.
"""

import argparse
import os
import random
from collections import Counter

from nightshelf import Shelf


def share(text: str) -> tuple[str, float]:
    """Read `<experiment>:<variant>=<share>`."""
    name, _, number = text.rpartition("=")
    return name, float(number)


def options() -> argparse.Namespace:
    """Read the command line."""
    about, _, how = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        description=about, epilog=how, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--namespace", default="shop")
    parser.add_argument("--users", type=int, default=2_000, help="visitors, one visit each")
    parser.add_argument("--base", type=float, default=0.1, help="share of visitors who buy")
    parser.add_argument(
        "--rate", type=share, action="append", default=[], help="EXPERIMENT:VARIANT=SHARE who buy"
    )
    parser.add_argument(
        "--lost", type=share, action="append", default=[],
        help="EXPERIMENT:VARIANT=SHARE of lists that a broken app does not say it has shown",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def main() -> None:
    """Send the visitors, and print how many of each variant were shown a list and bought."""
    given = options()
    rates, lost, chance = dict(given.rate), dict(given.lost), random.Random(given.seed)  # noqa: S311
    shown, bought = Counter[str](), Counter[str]()
    url = os.environ.get("REDIS_URL", "redis://localhost:6379")
    shelf = Shelf.from_url(url, given.namespace)
    for number in range(given.users):
        user = f"visitor-{number}"
        page = shelf.get(user, 3)
        name = f"{page.experiment}:{page.variant}" if page.experiment else "no experiment"
        drops, buys = chance.random() < lost.get(name, 0), chance.random()
        if not page.items or drops:
            continue
        shelf.shown(user, page)
        shown[name] += 1
        if buys < rates.get(name, given.base):
            shelf.acted(user, "purchase", page.items[0].item_id, value=20.0)
            bought[name] += 1
    for name in sorted(shown):
        print(f"{name}: {shown[name]:,} were shown a list, {bought[name]:,} bought")


if __name__ == "__main__":
    main()
