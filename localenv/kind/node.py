"""Which image the nodes of a cluster are made from: `ensure` says it, and makes it when it must.

In this order: E2E_NODE_IMAGE; the stock image that the pinned kind names, from the engine or its registry; an image that is built here (`node_build`).
Invariant: one line says which way was taken. What this module deliberately does not do: start a node; that is `cluster`.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from localenv import gomodule
from localenv.binaries import KUBERNETES
from localenv.errors import LocalEnvError
from localenv.kind import docker, node_build, registry
from localenv.progress import progress

VARIABLE = "E2E_NODE_IMAGE"
_PULL_SECONDS = 900.0


def ensure() -> str:
    """The tag of the image for nodes, which the engine has, or for E2E_NODE_IMAGE will pull. Raises LocalEnvError when none can be had."""
    chosen = os.environ.get(VARIABLE)
    if chosen:
        print(f"node image: {chosen}, from {VARIABLE}", flush=True)
        return chosen
    stock = stock_image(gomodule.required(KUBERNETES, "sigs.k8s.io/kind"))
    if _stock_is_here(stock):
        print(f"node image: {stock}, the stock image", flush=True)
        return stock
    own = node_build.tag()
    if docker.has(own):
        print(
            f"node image: {own}, built before from Debian packages and Go modules, as no registry has the stock image",
            flush=True,
        )
        return own
    print(
        f"node image: {own} is built from Debian packages and Go modules, as no registry has the stock image",
        flush=True,
    )
    node_build.build(own)
    return own


def stock_image(kind: Path) -> str:
    """The image that kind makes nodes from unless told otherwise, by its digest, read from the sources of kind in that folder."""
    file = kind / "pkg/apis/config/defaults/image.go"
    match = re.search(r'^const Image = "([^":@]+)(?::[^"@]+)?(@sha256:[0-9a-f]{64})"$', file.read_text(), re.MULTILINE)
    if match is None:
        raise LocalEnvError(
            f"{file} names no default image by its digest. Set {VARIABLE} to a node image of that version of kind."
        )
    # Without its tag: an engine knows an image by its tag or by its digest, never by both.
    return match[1] + match[2]


def is_own(tag: str) -> bool:
    """Whether an image was built here; such a one has its pod network built in, and nothing that provisions volumes."""
    return tag.startswith(f"{node_build.REPOSITORY}:")


def _stock_is_here(image: str) -> bool:
    if docker.has(image):
        return True
    if not registry.reachable():
        return False
    with progress(f"pulling {image.partition('@')[0]}, about 400 MB (usually takes a minute)"):
        return docker.pulled(image, seconds=_PULL_SECONDS)
