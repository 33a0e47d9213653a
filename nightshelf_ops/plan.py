"""`nightshelf experiment plan`: users a variant, and days, for a lift to be found."""

import json
from collections.abc import Iterator
from dataclasses import asdict

import typer

from nightshelf.cli.tables.terminal import show_line
from tasks.readout.plan import Plan


def show(plan: Plan, *, as_json: bool) -> None:
    """Print a plan in sentences, or as a JSON document."""
    if as_json:
        found = asdict(plan) | {"users": plan.users, "expected": plan.expected}
        typer.echo(json.dumps(found, indent=2))
        return
    for line in lines(plan):
        show_line(line)


def lines(plan: Plan) -> Iterator[str]:
    """Yield what a plan says, in sentences."""
    yield (
        f"{plan.metric} from {plan.baseline:.4g} to {plan.expected:.4g} ({plan.lift:+.1%}), found "
        f"in {plan.power:.0%} of such experiments; {plan.alpha:.0%} false findings without a lift"
    )
    yield (
        f"Users a variant: {plan.users_per_variant:,}; of all {plan.n_variants} variants: "
        f"{plan.users:,}"
    )
    if plan.days is not None:
        yield f"Days: {plan.days:,}, at {plan.daily_users:,.0f} new users a day"
    if plan.log_users is not None:
        yield f"Baseline and variance ({plan.variance:.4g}) are of {plan.log_users:,} users"
