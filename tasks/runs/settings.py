"""Settings of run folders."""

from dataclasses import dataclass

from pydantic import NonNegativeInt, PositiveInt


@dataclass(frozen=True)
class RunsSettings:
    """Runs whose data is kept; reports, settings and gates of all others stay.

    - `prune`: delete the data of the others at the end of each night.
    - `keep_last`: of the highest numbers.
    - `keep_months`: of the latest months with a run, the newest run of each.
    - `keep_written_h`: hours after its last step within which a run is kept; a backfill's dates
      are continued within it.
    """

    prune: bool = True
    keep_last: PositiveInt = 14
    keep_months: NonNegativeInt = 12
    keep_written_h: NonNegativeInt = 48
