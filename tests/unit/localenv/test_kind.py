"""Which image a node is made from, what is in it, and what kind is told: everything that needs no engine."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from localenv import gomodule
from localenv.errors import LocalEnvError
from localenv.kind import cluster, docker, node, node_build, registry
from localenv.kind.cluster import Limits, configuration, has_capability

DIGEST = "sha256:" + "a1" * 32
STOCK = f"kindest/node@{DIGEST}"
FREE = Limits(cgroup_1=False, no_sys_resource=False)


def kind_module(folder: Path) -> Path:
    """The two files of kind's module that are read, in its own words."""
    default = folder / "pkg/apis/config/defaults/image.go"
    default.parent.mkdir(parents=True)
    default.write_text(f'package defaults\n\n// Image is the default\nconst Image = "kindest/node:v1.99.0@{DIGEST}"\n')
    containerd = folder / "images/base/files/etc/containerd/config.toml"
    containerd.parent.mkdir(parents=True)
    containerd.write_text('version = 2\n  # use fixed sandbox image\n  sandbox_image = "registry.k8s.io/pause:9.9"\n')
    return folder


# The choice ---------------------------------------------------------------------------------------------------------


class Engine:
    """An engine with some images, and a registry that answers it or not; what is built and pulled is written down."""

    def __init__(self, *images: str, registry: bool) -> None:
        self.images = set(images)
        self.registry = registry
        self.built: list[str] = []
        self.pulled: list[str] = []

    def pull(self, image: str, *, seconds: float) -> bool:
        """Answer as `docker.pulled` would."""
        assert seconds > 0
        self.pulled.append(image)
        return self.registry


Use = Callable[[Engine], Engine]


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Use:
    """Puts an engine in the place of the real one."""
    module = kind_module(tmp_path)

    def put(engine: Engine) -> Engine:
        monkeypatch.delenv(node.VARIABLE, raising=False)
        monkeypatch.setattr(gomodule, "required", lambda *_: module)
        monkeypatch.setattr(docker, "has", engine.images.__contains__)
        monkeypatch.setattr(docker, "pulled", engine.pull)
        monkeypatch.setattr(registry, "reachable", lambda: engine.registry)
        monkeypatch.setattr(node_build, "build", engine.built.append)
        return engine

    return put


def test_the_stock_image_where_a_registry_answers(use: Use, capsys: pytest.CaptureFixture[str]) -> None:
    """Fails when a node is built though the stock image can be had, or when it is pulled though the engine has it."""
    engine = use(Engine(registry=True))
    assert node.ensure() == STOCK
    assert (engine.pulled, engine.built) == ([STOCK], [])
    engine = use(Engine(STOCK, registry=False))
    assert node.ensure() == STOCK
    assert (engine.pulled, engine.built) == ([], [])
    assert capsys.readouterr().out.splitlines()[-1] == f"node image: {STOCK}, the stock image"
    assert not node.is_own(STOCK)


def test_one_that_is_built_where_none_answers(use: Use) -> None:
    """Fails when an image is built again that is there, or when without a registry there is none."""
    engine = use(Engine(registry=False))
    own = node.ensure()
    assert (engine.pulled, engine.built) == ([], [own])
    assert node.is_own(own)
    engine = use(Engine(own, registry=False))
    assert node.ensure() == own
    assert engine.built == []


def test_the_image_that_the_user_names(use: Use, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails when E2E_NODE_IMAGE is not what a node is made from."""
    engine = use(Engine(STOCK, registry=True))
    monkeypatch.setenv(node.VARIABLE, "kindest/node:v1.98.0")
    assert node.ensure() == "kindest/node:v1.98.0"
    assert (engine.pulled, engine.built) == ([], [])


def test_a_kind_that_names_no_image(tmp_path: Path) -> None:
    """Fails when a changed source of kind ends in anything but one message that says what to do."""
    module = kind_module(tmp_path)
    assert node.stock_image(module) == STOCK
    (module / "pkg/apis/config/defaults/image.go").write_text("const Image = elsewhere.Image\n")
    with pytest.raises(LocalEnvError, match=node.VARIABLE):
        node.stock_image(module)


# The image that is built --------------------------------------------------------------------------------------------


def test_the_tag_holds_every_input(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Fails when a changed file or list of packages would find the old image."""
    files, modules = tmp_path / "files", tmp_path / "go"
    shutil.copytree(node_build.FILES, files)
    shutil.copytree(gomodule.MODULES, modules)
    tags = [node_build.tag()]
    monkeypatch.setattr(node_build, "FILES", files)
    monkeypatch.setattr(gomodule, "MODULES", modules)
    assert [node_build.tag()] == tags
    for file in (*files.iterdir(), modules / "kubernetes/go.mod", modules / "kubernetes/pause/main.go"):
        file.write_text(file.read_text() + "\n")
        tags.append(node_build.tag())
    monkeypatch.setattr(node_build, "PACKAGES", (*node_build.PACKAGES, "vim"))
    tags.append(node_build.tag())
    assert len(set(tags)) == len(tags)


def test_the_names_of_the_images(tmp_path: Path) -> None:
    """Fails when a node would look for an image under another tag than it was loaded under."""
    listed = (
        "registry.k8s.io/kube-proxy:v1.36.2\nregistry.k8s.io/coredns/coredns:v1.14.2\nregistry.k8s.io/etcd:3.6.8-0\n"
    )
    assert node_build.kubeadm_tags(listed) == {
        "kube-proxy": "registry.k8s.io/kube-proxy:v1.36.2",
        "coredns": "registry.k8s.io/coredns/coredns:v1.14.2",
        "etcd": "registry.k8s.io/etcd:3.6.8-0",
    }
    module = kind_module(tmp_path)
    assert node_build.sandbox_tag(module) == "registry.k8s.io/pause:9.9"
    (module / "images/base/files/etc/containerd/config.toml").write_text("version = 3\n")
    with pytest.raises(LocalEnvError, match="sandbox_image"):
        node_build.sandbox_tag(module)


def test_what_the_linker_would_load() -> None:
    """Fails when a library of a command that kube-proxy runs would be missing in its image."""
    printed = (
        "/usr/sbin/nft:\n"
        "\tlinux-vdso.so.1 (0x00007ffe8d5f2000)\n"
        "\tlibnftables.so.1 => /lib/x86_64-linux-gnu/libnftables.so.1 (0x00007f1f6a000000)\n"
        "\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f1f69c00000)\n"
        "\t/lib64/ld-linux-x86-64.so.2 (0x00007f1f6a200000)\n"
        "/usr/sbin/conntrack:\n"
        "\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f70aac00000)\n"
    )
    assert node_build.linked(printed) == [
        "/lib/x86_64-linux-gnu/libc.so.6",
        "/lib/x86_64-linux-gnu/libnftables.so.1",
        "/lib64/ld-linux-x86-64.so.2",
    ]


# The cluster --------------------------------------------------------------------------------------------------------


def test_a_machine_that_withholds_nothing() -> None:
    """Fails when the stock image on a usual machine gets an exception that it doesn't need, or when a port answers the network."""
    assert configuration("e2e", ports={30080: 8080}, limits=FREE, own_image=False) == {
        "kind": "Cluster",
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "name": "e2e",
        "nodes": [
            {
                "role": "control-plane",
                "extraPortMappings": [
                    {"containerPort": 30080, "hostPort": 8080, "listenAddress": "127.0.0.1", "protocol": "TCP"}
                ],
            }
        ],
    }


def test_each_exception_has_its_own_cause() -> None:
    """Fails when a machine with one lack gets no exception for it, or one more."""
    usual = configuration("e2e", ports={}, limits=FREE, own_image=False)

    def added(limits: Limits, *, own_image: bool) -> dict[str, object]:
        made = configuration("e2e", ports={}, limits=limits, own_image=own_image)
        return {key: value for key, value in made.items() if key not in usual}

    assert added(FREE, own_image=True) == {"networking": {"disableDefaultCNI": True}}
    [patch] = added(Limits(cgroup_1=True, no_sys_resource=False), own_image=False).items()
    assert patch[0] == "kubeadmConfigPatches" and "failCgroupV1: false" in str(patch[1])
    [patch] = added(Limits(cgroup_1=False, no_sys_resource=True), own_image=False).items()
    assert patch[0] == "containerdConfigPatches" and "restrict_oom_score_adj = true" in str(patch[1])


def test_a_capability_is_read_as_the_kernel_writes_it() -> None:
    """Fails when a machine without CAP_SYS_RESOURCE (24) is taken for one that has it, or the other way round."""
    assert not has_capability("CapPrm:\t000001ffffffffff\nCapBnd:\t000001fffeffffff\n", 24)
    assert has_capability("CapBnd:\t000001fffeffffff\n", 21)
    assert has_capability("CapBnd:\t000001ffffffffff\n", 24)
    assert has_capability("", 24)


def test_a_cluster_that_is_there_is_left_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Fails when a name that is taken, or a folder that a shell would misread, is found out only after something was made."""
    monkeypatch.setattr(node, "ensure", lambda: pytest.fail("an image was asked for"))
    monkeypatch.setattr(docker, "containers", lambda condition: ["0123456789ab"])
    with pytest.raises(LocalEnvError, match="docker rm --force --volumes taken-control-plane"):
        cluster.KindCluster.create("taken", folder=tmp_path, ports={})
    monkeypatch.setattr(docker, "containers", lambda condition: [])
    with pytest.raises(LocalEnvError, match="Choose another"):
        cluster.KindCluster.create("free", folder=tmp_path / "a folder", ports={})
    assert list(tmp_path.iterdir()) == []
