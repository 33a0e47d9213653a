"""A readout in sentences: its verdict first, then the grounds, then what would change it."""

from collections.abc import Iterator

from tasks.readout.records import Figure, Readout, Verdict

#: Share of users in two variants above which something is wrong with the assignment.
_MOST_CROSSED = 0.01


def sentences(found: Readout) -> Iterator[str]:
    """Yield what a readout says, most important first."""
    if not sum(found.users.values()):
        yield (
            f"No user counts yet: {found.n_exposures:,} exposures have had their attribution "
            f"window, {found.n_waiting:,} wait for it"
        )
        return
    if not found.valid:
        yield from _invalid(found)
        return
    yield from _breaches(found)
    for verdict in found.verdicts:
        yield _verdict(found, verdict)
        yield _change(found, verdict)
    if not found.verdicts:
        yield (
            "Undecided: the control has no outcome of the primary metric yet, so that nothing says "
            "how many users are needed"
        )
    yield from _remarks(found)


def _invalid(found: Readout) -> Iterator[str]:
    failed = [each for each in found.sample_ratios if each.failed]
    first = failed[0]
    users = ", ".join(f"{name} {n:,}" for name, n in sorted(first.users.items()))
    yield (
        f"No verdict: the users of the variants are not in their proportions (sample ratio "
        f"mismatch) in {', '.join(each.part for each in failed[:3])}: {users}, p {first.p:.1g}"
    )
    yield (
        "Whatever lost users of one variant may have lost certain users. Look for exposures that "
        "one variant's page does not track, users sent elsewhere, or another assignment than the "
        "published one; then begin a new phase"
    )


def _breaches(found: Readout) -> Iterator[str]:
    for each in found.breached:
        yield (
            f"Guardrail breached: {each.metric} of {each.variant} differs from {found.control} by "
            f"{each.difference:+.4g}, between {each.low:+.4g} and {each.high:+.4g} at any number "
            f"of looks. Stop it: nightshelf experiment stop {found.experiment}"
        )


def _verdict(found: Readout, verdict: Verdict) -> str:
    figure = _primary(found, verdict.variant)
    best = figure.best
    effect = f"{best.difference:+.4g}"
    if best.lift is not None:
        effect = f"{best.lift:+.1%} ({effect})"
    between = ""
    if best.low is not None and best.high is not None:
        between = f", between {best.low:+.4g} and {best.high:+.4g}"
    adjusted = ", with activity before the exposure taken out" if figure.adjusted else ""
    said = {
        "better": f"{verdict.variant} is better than {found.control}",
        "worse": f"{verdict.variant} is worse than {found.control}",
        "no difference found": f"No difference of {verdict.variant} from {found.control} was found",
        "undecided": f"{verdict.variant}: undecided",
    }[verdict.outcome]
    return f"{said}: {figure.metric} {effect}{between}{adjusted}"


def _change(found: Readout, verdict: Verdict) -> str:
    planned, look = f"{verdict.planned_per_variant:,} planned users a variant", verdict.look
    share = f"{verdict.fraction:.0%} of the {planned}"
    bound = "no bound yet" if verdict.bound is None else f"{verdict.bound:.2f} needed"
    at = f"|z| was {abs(verdict.z):.2f} on {look} ({bound}), at {share}"
    if verdict.outcome in ("better", "worse"):
        return f"{at}: further users of this phase do not change that"
    if verdict.outcome == "undecided":
        return f"{at}: more users decide it; until all have come it may go either way"
    if verdict.fraction < 1:
        return (
            f"{at}: it ended before these had come, so an effect as large as planned may be there; "
            "a new experiment needs more traffic or more time"
        )
    return (
        f"{at}: a smaller effect may be there, and a new experiment with a smaller "
        f"minimum_detectable_effect would find it"
    )


def _remarks(found: Readout) -> Iterator[str]:
    n = sum(found.users.values())
    if found.n_crossed:
        share = found.n_crossed / (n + found.n_crossed)
        warn = ", more than chance: the assignment changed within a phase" * (share > _MOST_CROSSED)
        yield f"{found.n_crossed:,} users ({share:.2%}) saw two variants and are set aside{warn}"
    for cut in found.cuts:
        if cut.n_users:
            yield (
                f"{cut.metric} of {cut.n_users:,} users is cut at {cut.at:,.2f}, a quantile of all "
                "buyers, whatever their variant"
            )
    if found.n_waiting:
        yield f"{found.n_waiting:,} exposures wait for their attribution window"


def _primary(found: Readout, variant: str) -> Figure:
    own = (each for each in found.figures if each.role == "primary")
    return next(each for each in own if each.variant == variant)
