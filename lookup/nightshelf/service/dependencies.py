"""What all requests share."""

from dataclasses import dataclass

from starlette.requests import Request

from nightshelf.client.async_shelf import AsyncShelf
from nightshelf.service.event_shares import Shares
from nightshelf.service.metrics import Metrics
from nightshelf.service.settings import ServiceSettings


@dataclass(frozen=True)
class State:
    """Made once for an app, and kept at ``app.state.nightshelf``."""

    settings: ServiceSettings
    shelf: AsyncShelf
    metrics: Metrics
    shares: Shares


def state_of(request: Request) -> State:
    """Return the state of the app that a request came to."""
    state: State = request.app.state.nightshelf
    return state
