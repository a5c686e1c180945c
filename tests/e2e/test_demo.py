"""The ten steps of the demo, walked by somebody who may edit one namespace, against the gateway's Service."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from localenv import stage as demo
from localenv.demo import FIRST_ACT
from localenv.stage import Stage
from tests.e2e import workloads
from tests.e2e.release import Release
from tests.e2e.site import Site

pytestmark = pytest.mark.e2e


@pytest.fixture
def stage(site: Site, operator: Release) -> Iterator[Stage]:
    """The demo's namespace, seen by its developer."""
    site.apply(workloads.namespace(demo.NAMESPACE))
    yield Stage(site.developer(demo.NAMESPACE), operator)
    site.run_kubectl("delete", "namespace", demo.NAMESPACE)


def test_the_ten_steps(stage: Stage) -> None:
    """Fails when a step of the demo does not hold in a cluster, or needs more rights than `edit` in one namespace."""
    before = stage.operator.changing_calls()
    for step in FIRST_ACT:
        step(stage)
    assert len(FIRST_ACT) == 10
    # Register, two reregisters, a revocation, an unregister and its undoing, a heal, and the end: what the steps compare is not always nothing.
    assert stage.operator.changing_calls() - before >= 8
