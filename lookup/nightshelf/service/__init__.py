"""The HTTP service: lists, rows, tracking, health and metrics over one `nightshelf.AsyncShelf`.

One process, one event loop; more of them behind a balancer scale out. Needs the extra ``service``.
"""

from nightshelf.service.app import create_app
from nightshelf.service.settings import ApiKey, ServiceSettings

__all__ = ["ApiKey", "ServiceSettings", "create_app"]
