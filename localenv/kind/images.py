"""The images of the packaged operator's world: the operator, the gateway, an API behind it, and Prometheus.

Invariants: a tag holds a digest of all that its image was made from, so what is there is never made again; every image runs without root on a read-only root.
What this module deliberately does not do: put them into a cluster (`cluster`), or say how they are started there: that is for who deploys them.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from localenv import backend, cache, image
from localenv.binaries import GATEWAY_SHA256, Binaries
from localenv.image import Source
from localenv.kind import debian, docker, registry
from localenv.progress import progress

GATEWAY_JAR = Path("/opt/gateway/gateway.jar")
"""Where the gateway's image has its jar; `java` is on its path, for `localenv.gateway.command`."""
JAVA = "docker.io/library/eclipse-temurin:17-jre"
PROMETHEUS = "docker.io/prom/prometheus:v3.5.0"
# What the operator's Dockerfile runs: `python` and `pip` by these names, and a `venv` that can be made.
_PYTHON_PACKAGES = ("ca-certificates", "python-is-python3", "python3", "python3-pip", "python3-venv")
_JAVA_PACKAGES = ("openjdk-17-jre-headless",)
_PROMETHEUS_PACKAGES = ("prometheus",)
_HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Images:
    """The tags, as the engine has them and as pods name them."""

    operator: str
    gateway: str
    backend: str
    prometheus: str


def prepare() -> Images:
    """Make or fetch the images that are not there; raises LocalEnvError when one can't be had.

    The operator is that of this checkout. What is long says that it goes on.
    """
    source = Source()
    print(_origin({name: registry.available(name) for name in (source.base, JAVA, PROMETHEUS)}), flush=True)
    operator = operator_tag(source)
    _unless_there(operator, partial(build_operator, operator, source=source.folder))
    return Images(operator=operator, gateway=_gateway(), backend=_backend(operator), prometheus=_prometheus())


def _origin(public: Mapping[str, bool]) -> str:
    """One line that says whether the base images are public ones; where some are, because the engine has them, which."""
    if all(public.values()):
        return "images: the base images come from the public registry"
    there = ", ".join(name for name, available in public.items() if available)
    rest = f"only {there} is here" if there else "none is here"
    return f"images: no image registry answers and of the public base images {rest}; Debian's packages serve instead"


def operator_tag(source: Source) -> str:
    """The name of the operator's image of a checkout: its version and a digest of what it is built from."""
    return f"{image.NAME}:{source.version}-{cache.digest(source.digest().encode(), _python(source.base).name.encode())}"


def build_operator(tag: str, *, source: Path) -> None:
    """Build the operator's image from the checkout in `source`, this one or an older one; raises LocalEnvError with the end of the build's output."""
    checkout = Source(source)
    base = _python(checkout.base)
    base.ensure()
    with progress(f"building the operator's image {tag} (usually takes about a minute)"):
        image.build(checkout, tag=tag, base=base.name, runtime=base.name, run=_quietly, environment=os.environ)


def _quietly(words: list[str]) -> None:
    docker.run(*words)


@dataclass(frozen=True, slots=True)
class Base:
    """An image that others are built on: its name, and how it is had when the engine must have it."""

    name: str
    ensure: Callable[[], None]


def _base(public: str, name: str, *packages: str) -> Base:
    """The public image where it can be had, else Debian with these packages."""
    if registry.available(public):
        return Base(public, partial(_pull, public))
    tag = f"{image.NAME}/debian-{name}:{debian.key(*packages)}"
    return Base(tag, partial(_unless_there, tag, lambda: docker.import_tree(debian.tree(name, *packages), tag)))


def _python(public: str) -> Base:
    return _base(public, "python", *_PYTHON_PACKAGES)


def _pull(tag: str) -> None:
    if not docker.has(tag):
        with progress(f"pulling {tag}"):
            docker.run("pull", "--quiet", tag)


def _unless_there(tag: str, make: Callable[[], None]) -> None:
    if not docker.has(tag):
        make()


def _gateway() -> str:
    base = _base(JAVA, "java", *_JAVA_PACKAGES)
    return _with_file("gateway", base, GATEWAY_SHA256.encode(), lambda: Binaries().gateway_jar)


def _backend(operator: str) -> str:
    module = Path(backend.__file__)
    return _with_file("backend", Base(operator, lambda: None), module.read_bytes(), lambda: module)


def _prometheus() -> str:
    if registry.available(PROMETHEUS):
        _pull(PROMETHEUS)
        return PROMETHEUS
    # Half of Debian's package is what its web pages depend on, which nobody looks at here; the program needs the C library alone.
    made_from = debian.key(*_PROMETHEUS_PACKAGES).encode()
    return _with_file("prometheus", _python(Source().base), made_from, _debian_prometheus)


def _debian_prometheus() -> Path:
    return debian.tree("prometheus", *_PROMETHEUS_PACKAGES) / "usr" / "bin" / "prometheus"


def _with_file(name: str, base: Base, identity: bytes, file: Callable[[], Path]) -> str:
    """The image of `<name>.Dockerfile`, which copies one file onto `base`; `identity` tells that file from others of its kind."""
    dockerfile = _HERE / f"{name}.Dockerfile"
    tag = f"{image.NAME}/{name}:{cache.digest(base.name.encode(), identity, dockerfile.read_bytes())}"
    if docker.has(tag):
        return tag
    base.ensure()
    copied = file()
    with progress(f"building the image {tag}"), tempfile.TemporaryDirectory(prefix=f"image-{name}-") as context:
        shutil.copy(copied, context)
        docker.build(Path(context), tag=tag, dockerfile=dockerfile, arguments={"BASE_IMAGE": base.name})
    return tag
