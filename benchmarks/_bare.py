"""FastAPI routes that return a constant, served by uvicorn as `nightshelf serve` is.

Run as `python -m benchmarks._bare PORT FILE`; the constant is the JSON that the file holds.
"""

import json
import sys
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, Response

app = FastAPI()
body = Path(sys.argv[2]).read_bytes()
answer: dict[str, Any] = json.loads(body)


@app.get("/recommendations/{user_id}")
async def ready() -> Response:
    """Return ready bytes: at no cost that FastAPI does not make for any route."""
    return Response(body, media_type="application/json")


@app.get("/constant/{user_id}")
async def constant() -> dict[str, Any]:
    """Return the same as people write it."""
    return answer


if __name__ == "__main__":
    uvicorn.run(
        app,
        port=int(sys.argv[1]),
        ws="none",
        http="httptools",
        access_log=False,
        server_header=False,
        log_level="warning",
    )
