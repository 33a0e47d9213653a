"""State shared by all requests."""

from dataclasses import dataclass

from starlette.requests import Request

from nightshelf.client.async_shelf import AsyncShelf
from nightshelf.service.event_quota import Shares
from nightshelf.service.metrics import Metrics
from nightshelf.service.settings import ServiceSettings


@dataclass(frozen=True)
class State:
    """State of one app, kept at ``app.state.nightshelf``."""

    settings: ServiceSettings
    shelf: AsyncShelf
    metrics: Metrics
    shares: Shares


def state_of(request: Request) -> State:
    """Return the state of a request's app."""
    state: State = request.app.state.nightshelf
    return state
