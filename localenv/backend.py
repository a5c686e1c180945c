"""The API behind the gateway: answers every request with the request that it saw, as JSON.

Run as `python -m localenv.backend PORT`. What this module deliberately does not do: anything that an API would do.
"""

from __future__ import annotations

import sys

from aiohttp import web


async def answer(request: web.Request) -> web.Response:
    """The request as JSON: method, path, query and headers."""
    return web.json_response(
        {
            "method": request.method,
            "path": request.path,
            "query": dict(request.query),
            "headers": dict(request.headers),
        }
    )


def main() -> None:
    """Listen on the port that the command line names, on loopback only."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None)


if __name__ == "__main__":
    main()
