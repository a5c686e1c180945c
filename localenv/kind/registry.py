"""Whether the engine gets images from the public registry: asked in this one place, so that the node and the images always decide alike.

Invariants: the registry is asked at most once in a process, for at most `SECONDS`; an image that the engine has already needs no registry.
What this module deliberately does not do: choose another source; that is for who needs the image.
"""

from __future__ import annotations

from functools import cache

from localenv.kind import docker

PROBE = "docker.io/library/hello-world:latest"
"""The smallest public image, about 13 kB: pulling it takes the very way that all others take, with the engine's own mirrors, proxies and credentials."""
SECONDS = 10.0


@cache
def reachable() -> bool:
    """Whether the public registry answers the engine."""
    return docker.pulled(PROBE, seconds=SECONDS)


def available(image: str) -> bool:
    """Whether the engine has this public image, or could pull it."""
    return docker.has(image) or reachable()
