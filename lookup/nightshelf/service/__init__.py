"""HTTP service: lists, feature rows, tracking, health and metrics over one `nightshelf.AsyncShelf`.

One process has one event loop; several scale behind a balancer. Needs the extra ``service``.
"""

from nightshelf.service.app import create_app
from nightshelf.service.settings import ApiKey, ServiceSettings

__all__ = ["ApiKey", "ServiceSettings", "create_app"]
