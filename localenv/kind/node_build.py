"""Builds an image for nodes of kind out of a tree of Debian packages, the binaries of `localenv.binaries`, and kind's own files, where no registry has one.

Invariants: the tag holds a digest of all inputs; a node runs the very binaries that `make up` runs; neither another tag stays with the engine nor a file outside
the cache; nothing of the tree runs outside a container but `ldd`. Needs root, for debootstrap and the tree's owners.
What this module deliberately does not do: enforce NetworkPolicies or provision volumes; the pod network is a plain bridge from pod to node.
"""

from __future__ import annotations

import platform
import re
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from localenv import cache, gomodule
from localenv.binaries import KUBERNETES, Binaries
from localenv.errors import LocalEnvError
from localenv.kind import archive, debian, docker
from localenv.kind.archive import Image
from localenv.progress import progress

REPOSITORY = "gateway-registrar/kind-node"
FILES = Path(__file__).parent / "nodeimage"
PACKAGES = (
    *("systemd", "kmod", "mount", "procps", "util-linux", "bash", "ca-certificates", "e2fsprogs", "jq"),
    *("containerd", "runc", "libseccomp2", "containernetworking-plugins"),
    *("conntrack", "ethtool", "iproute2", "iptables", "nftables", "socat"),
)
"""What kind's own base image has for systemd, for containers and for their network, of Debian's own versions."""
_PROXY_COMMANDS = ("usr/sbin/xtables-nft-multi", "usr/sbin/nft", "usr/sbin/conntrack")
_PROXY_LINKS = tuple(f"{name}{suffix}" for name in ("iptables", "ip6tables") for suffix in ("", "-save", "-restore"))


def tag() -> str:
    """The tag of the image, which says what it is made from; computing it builds and fetches nothing."""
    module = gomodule.MODULES / KUBERNETES
    inputs = [module / "go.mod", module / "go.sum", *gomodule.sources(KUBERNETES), *sorted(FILES.iterdir())]
    inputs += [Path(__file__), Path(archive.__file__), Path(gomodule.__file__)]
    words = f"{debian.SUITE} {platform.machine()} {' '.join(PACKAGES)}"
    return f"{REPOSITORY}:{cache.digest(*(file.read_bytes() for file in inputs), words.encode())}"


def build(tag: str) -> None:
    """Build the image and give it that tag. Raises LocalEnvError when a part can't be had; what was made by then is removed."""
    tree = debian.tree("node", *PACKAGES)
    binaries = Binaries()
    binaries.build_node()
    kind = gomodule.required(KUBERNETES, "sigs.k8s.io/kind")
    with _work_folder() as work, progress("putting the node image together (usually takes about a minute)"):
        root = f"{tag}-root"
        try:
            _build_root(root, work / "context", tree=tree, kind=kind, binaries=binaries)
            images = work / "images.tar"
            archive.write(
                images, _images(work / "images", tree=tree, kind=kind, binaries=binaries), machine=platform.machine()
            )
            _preload(root, images, tag=tag)
        finally:
            for made in (root, f"{root}-base"):
                if docker.has(made):
                    docker.run("rmi", made)


@contextmanager
def _work_folder() -> Iterator[Path]:
    """A folder for what is made on the way, inside the cache and gone afterwards."""
    cache.cache_root().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="kind-node.", dir=cache.cache_root()) as folder:
        yield Path(folder)


# The node's root ----------------------------------------------------------------------------------------------------


def _build_root(root: str, context: Path, *, tree: Path, kind: Path, binaries: Binaries) -> None:
    """Build the image of a node that has no images yet."""
    shutil.copytree(kind / "images/base/files", context / "files")
    for path in (context / "files").rglob("*"):
        path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)
    for binary in (binaries.kubelet, binaries.kubeadm, binaries.kubectl):
        _put(binary, context / "bin" / binary.name)
    for name in ("Dockerfile", "ptp.conflist"):
        _put(FILES / name, context / name)
    docker.import_tree(tree, f"{root}-base")
    docker.build(
        context,
        tag=root,
        dockerfile=context / "Dockerfile",
        arguments={
            "BASE_IMAGE": f"{root}-base",
            "KUBERNETES_VERSION": gomodule.version(KUBERNETES, "k8s.io/kubernetes"),
        },
        options=("--network=none",),
    )


def _put(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, target)


# The images that a node starts from ---------------------------------------------------------------------------------


def _images(folder: Path, *, tree: Path, kind: Path, binaries: Binaries) -> list[Image]:
    """The control plane's images under the tags that kubeadm will ask for, and the pause image under the one that containerd will."""
    tags = kubeadm_tags(_kubeadm_list(binaries.kubeadm))
    for binary in (
        binaries.etcd,
        binaries.kube_apiserver,
        binaries.kube_controller_manager,
        binaries.kube_scheduler,
        binaries.kube_proxy,
    ):
        _put(binary, folder / binary.name / "usr/local/bin" / binary.name)
    _put(binaries.coredns, folder / "coredns/coredns")
    _put(binaries.pause, folder / "pause/pause")
    _add_proxy_tools(folder / "kube-proxy", tree)
    names = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy")
    return [
        *(Image(tags[name], folder / name) for name in names),
        Image(tags["coredns"], folder / "coredns", entrypoint=("/coredns",)),
        Image(sandbox_tag(kind), folder / "pause", entrypoint=("/pause",)),
    ]


def _kubeadm_list(kubeadm: Path) -> str:
    version = gomodule.version(KUBERNETES, "k8s.io/kubernetes")
    command = [str(kubeadm), "config", "images", "list", f"--kubernetes-version={version}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LocalEnvError(f"`kubeadm config images list` failed:\n{done.stderr.strip()}")
    return done.stdout


def kubeadm_tags(listed: str) -> dict[str, str]:
    """By its last name, each image that `kubeadm config images list` prints."""
    return {tag.rpartition(":")[0].rpartition("/")[2]: tag for tag in listed.split()}


def sandbox_tag(kind: Path) -> str:
    """The pause image that kind's configuration of containerd names; it need not be the one that kubeadm lists."""
    file = kind / "images/base/files/etc/containerd/config.toml"
    match = re.search(r'^\s*sandbox_image = "([^"]+)"$', file.read_text(), re.MULTILINE)
    if match is None:
        raise LocalEnvError(f"{file} names no sandbox_image, so nobody knows which pause image a node wants.")
    return match[1]


def _add_proxy_tools(folder: Path, tree: Path) -> None:
    """Add to kube-proxy's files the commands that it runs, with their libraries and plugins, from the tree."""
    plugins = sorted(path.relative_to(tree) for path in tree.glob("usr/lib/*/xtables/*.so"))
    found = [Path(command) for command in _PROXY_COMMANDS] + plugins
    for path in [*found, *_libraries(tree, found)]:
        _put(tree / path, folder / path)
    for name in _PROXY_LINKS:
        (folder / "usr/sbin" / name).symlink_to("xtables-nft-multi")
    (folder / "tmp").mkdir(mode=0o1777)


def _libraries(tree: Path, files: list[Path]) -> list[Path]:
    """What the dynamic linker of the tree would load for these files, where it would look for it."""
    command = ["chroot", str(tree), "ldd", *(f"/{file}" for file in files)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LocalEnvError(
            f"`ldd` failed in {tree}:\n{done.stderr.strip()}\nRemove that folder's entry of the cache, then try again."
        )
    return [Path(name[1:]) for name in linked(done.stdout)]


def linked(printed: str) -> list[str]:
    """The paths of all libraries in what `ldd` prints, each once."""
    return sorted(set(re.findall(r"(/\S+) \(0x", printed)))


# The images, in the store of the node's containerd ------------------------------------------------------------------


def _preload(root: str, images: Path, *, tag: str) -> None:
    """Let a container of the root take the images into its own store, and keep it as the image of that tag."""
    name = f"kind-node-{secrets.token_hex(4)}"
    script = (FILES / "preload.sh").read_text()
    options = ["--interactive", f"--name={name}", "--network=none", "--tmpfs=/run", "--entrypoint=/bin/sh"]
    docker.run("create", *options, root, "-c", script)
    try:
        docker.feed(images, "start", "--attach", "--interactive", name)
        start = ['ENTRYPOINT ["/usr/local/bin/entrypoint", "/sbin/init"]', "CMD []"]
        docker.run("commit", *(f"--change={change}" for change in start), name, tag)
    finally:
        docker.run("rm", "--force", "--volumes", name)
