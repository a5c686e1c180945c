"""Whether a cluster that somebody names is one for this suite: new enough, without an installation of ours or of anybody with our kinds, and ours to change.

Invariants: nothing is written; what the operator asks of a cluster at its start is asked by the operator's own functions. What this module deliberately does not do:
look at the cluster that the suite makes itself.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from localenv.errors import LocalEnvError
from registrar.engine import served
from registrar.errors import KubeError, SettingsError
from registrar.kube import rights
from registrar.kube.client import KubeClient, Resource
from registrar.kube.config import load_access
from registrar.seam import direct

_EVERYTHING = rights.Ask("*", Resource("*", "*", "*", "*"), subresource="", namespace="")


def check(kubeconfig: Path) -> None:
    """Return when the suite can work there; raises LocalEnvError with one line that says why not."""
    if not kubeconfig.is_file():
        raise LocalEnvError(f"KUBECONFIG_EXTERNAL is {kubeconfig}, which is no file. Correct or unset it.")
    try:
        problem = asyncio.run(_problem(kubeconfig))
    except (KubeError, SettingsError) as error:
        raise LocalEnvError(
            f"The cluster of {kubeconfig} can't be asked: {error}. Check it with `kubectl --kubeconfig {kubeconfig} version`."
        ) from error
    if problem:
        raise LocalEnvError(f"The cluster of {kubeconfig} is none for this suite: {problem}")


async def _problem(kubeconfig: Path) -> str:
    """What is wrong with the cluster, in one line; empty when nothing is. Raises a KubeError or SettingsError when it can't be asked."""
    client = KubeClient(load_access(str(kubeconfig)), seam=direct)
    try:
        found = await served.ask(client)
        if problem := served.too_old(found):
            return problem
        if found.resources:
            return served.unfit(found) or "it has an installation of gateway-registrar. Use an empty cluster."
        if await rights.refused(client, [_EVERYTHING]):
            return (
                f"{await rights.user(client)} may not do everything there. Use a kubeconfig of a cluster administrator."
            )
        return ""
    finally:
        await client.close()
