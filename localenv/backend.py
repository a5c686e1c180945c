"""The API behind the gateway: answers every request with the request that it saw, as JSON.

Run as `python -m localenv.backend PORT [--host ADDRESS]`. In a cluster it is an image of its own, so it imports nothing of ours.
What this module deliberately does not do: anything that an API would do.
"""

from __future__ import annotations

import argparse

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
    """Listen where the command line says, by default on loopback only."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: %(default)s)")
    told = parser.parse_args()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    web.run_app(app, host=told.host, port=told.port, print=None)


if __name__ == "__main__":
    main()
