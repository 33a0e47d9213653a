"""Routes ``/docs``: the API's page by Swagger UI, whose files come from a package, not a CDN.

All links are relative, so that it works under a proxy's path; no script is inline, so that the
page's own policy can forbid that (docs/decisions/0050-console.md).
"""

from functools import cache
from importlib.metadata import version
from importlib.resources import files

from fastapi import APIRouter
from starlette.responses import HTMLResponse, Response

from nightshelf.service.problems import Problem

_FOLDER = f"docs/{version('fastapi-offline')}"
_TYPES = {
    "swagger-ui.css": "text/css; charset=utf-8",
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "start.js": "text/javascript; charset=utf-8",
    "favicon.png": "image/png",
}
_PAGE = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Nightshelf: the API</title>
<link rel="icon" type="image/png" href="{_FOLDER}/favicon.png">
<link rel="stylesheet" href="{_FOLDER}/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="{_FOLDER}/swagger-ui-bundle.js"></script>
<script src="{_FOLDER}/start.js"></script>
</body>
</html>
"""
_START = b"""SwaggerUIBundle({
  url: "openapi.json", dom_id: "#swagger-ui", deepLinking: true, layout: "BaseLayout",
  presets: [SwaggerUIBundle.presets.apis, SwaggerUIBundle.SwaggerUIStandalonePreset],
});
"""
#: Swagger UI draws its icons from data, and sizes some parts by attributes.
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; "
    "frame-ancestors 'none'; base-uri 'none'; object-src 'none'",
    "X-Content-Type-Options": "nosniff",
}

router = APIRouter(include_in_schema=False)


@router.get("/docs")
async def docs() -> Response:
    """Return the page."""
    return HTMLResponse(_PAGE, headers=_HEADERS)


@router.get(f"/{_FOLDER}/{{name}}")
async def file(name: str) -> Response:
    """Return a file of the page, which may be kept for ever under this version."""
    if name not in _TYPES:
        raise Problem(404, "There is no such file.")
    headers = {"Cache-Control": "public, max-age=31536000, immutable"}
    return Response(_content(name), headers=headers, media_type=_TYPES[name])


@cache
def _content(name: str) -> bytes:
    if name == "start.js":
        return _START
    return (files("fastapi_offline") / "static" / name).read_bytes()
