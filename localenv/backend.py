"""The API behind the gateway: answers every request with the request that it saw, as JSON.

Run as `python -m localenv.backend PORT [ADDRESS]`, or as a file by itself. What this module deliberately does not do: anything that an API would do.
"""

from __future__ import annotations

import sys

from aiohttp import web

LOOPBACK = "127.0.0.1"
EVERYWHERE = "0.0.0.0"  # noqa: S104 - in a pod, which is asked from others


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
    """Listen on the port and the address that the command line names; on loopback only when it names none."""
    port, host = [*sys.argv[1:], LOOPBACK][:2]
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    web.run_app(app, host=host, port=int(port), print=None)


if __name__ == "__main__":
    main()
