"""Settings of the popular model."""

from dataclasses import dataclass


@dataclass(frozen=True)
class PopularSettings:
    """Settings of the popular model: it has none (`popularity` has the half-life)."""
