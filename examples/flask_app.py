"""A shop in Flask: ``REDIS_URL=redis://127.0.0.1:6390/0 flask --app examples/flask_app run``."""

import os
from typing import Any

from flask import Flask

from nightshelf import Shelf


def create_app() -> Flask:
    """Return the shop; Redis is first asked when somebody comes."""
    app = Flask(__name__)
    shelf = Shelf.from_url(os.environ["REDIS_URL"], "shop")

    @app.get("/home/<user>")
    def home(user: str) -> dict[str, Any]:
        result = shelf.get(user, n=10)
        shelf.shown(user, result)
        return {"source": result.source, "items": [item.item_id for item in result.items]}

    @app.post("/bought/<user>/<item>")
    def bought(user: str, item: str) -> tuple[str, int]:
        shelf.acted(user, "purchase", item)  # it is off that user's lists from now on
        return "", 204

    return app
