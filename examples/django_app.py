"""A shop in Django, in one file: ``REDIS_URL=... python examples/django_app.py runserver``."""

import os
import sys
from functools import cache

from django.conf import settings
from django.core.management import execute_from_command_line
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from nightshelf import Shelf

if not settings.configured:
    settings.configure(
        ROOT_URLCONF=__name__, ALLOWED_HOSTS=["127.0.0.1"], SECRET_KEY=os.urandom(32)
    )


@cache
def shelf() -> Shelf:
    """Return the shelf that all threads of this process share."""
    return Shelf.from_url(os.environ["REDIS_URL"], "shop")


def home(request: HttpRequest, user: str) -> HttpResponse:
    """Answer with a user's list."""
    result = shelf().get(user, n=10)
    shelf().shown(user, result)
    return JsonResponse({"source": result.source, "items": [item.item_id for item in result.items]})


@csrf_exempt
@require_POST
def bought(request: HttpRequest, user: str, item: str) -> HttpResponse:
    """Take an item off a user's lists from now on."""
    shelf().acted(user, "purchase", item)
    return HttpResponse(status=204)


urlpatterns = [path("home/<user>", home), path("bought/<user>/<item>", bought)]

if __name__ == "__main__":
    execute_from_command_line(sys.argv)
