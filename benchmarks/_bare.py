"""A FastAPI route that returns a constant, served by uvicorn as `nightshelf serve` is.

Run as `python -m benchmarks._bare PORT FILE`; the constant is what the file holds.
"""

import sys
from pathlib import Path

import uvicorn
from fastapi import FastAPI, Response

app = FastAPI()
body = Path(sys.argv[2]).read_bytes()


@app.get("/recommendations/{user_id}")
async def constant() -> Response:
    """Return it, at no cost that FastAPI does not make."""
    return Response(body, media_type="application/json")


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
