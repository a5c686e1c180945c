"""A team's Client on the gateway, as the tests of an installation's life begin with it, and what shows that it is left in peace.

What this module deliberately does not do: break anything.
"""

from __future__ import annotations

from dataclasses import dataclass

from localenv.cluster import Cluster, Json, client, contract, rate_limit, until

VERSIONS = {"orders": "1.0", "billing": "1.0", "catalog": "2.0"}
"""The APIs that every gateway of the suite has, of the organization `acme`."""
_KINDS = ("Client", "Contract", "Policy", "Secret")


@dataclass(frozen=True, slots=True)
class Consumer:
    """A Client that was registered, and the key that it was given then."""

    cluster: Cluster
    namespace: str
    name: str
    key: str

    def call(self, api: str = "orders") -> int:
        """Call an API with the key; returns the status code."""
        return self.cluster.call(f"acme/{api}/{VERSIONS[api]}", self.key)

    def wait_dead(self) -> None:
        """Wait until the gateway refuses the key; its data plane follows its configuration within a moment."""
        until(lambda: self.call() != 200, what=f"the key of {self.name} being refused", seconds=10)

    def on_gateway(self) -> bool:
        """Whether the gateway has the registration."""
        return self.cluster.registration(self.namespace, self.name) is not None

    def has_its_key(self) -> bool:
        """Whether its Secret still has the key."""
        return self.cluster.key(self.namespace, f"{self.name}-api-key") == self.key


def registered(cluster: Cluster, namespace: str, name: str = "shop", *apis: str) -> Consumer:
    """A Client with a limit and a Contract for each API (`orders` when none is named), registered, with a key that works."""
    named = apis or ("orders",)
    cluster.apply(
        client(namespace, name),
        rate_limit(namespace, f"{name}-limit", client=name, limit=10_000),
        *(contract(namespace, f"{name}-{api}", client=name, api=api, version=VERSIONS[api]) for api in named),
    )
    cluster.wait_phase(namespace, name, "Registered", seconds=60)
    made = Consumer(cluster, namespace, name, cluster.key(namespace, f"{name}-api-key"))
    for api in named:
        until(lambda api=api: made.call(api) == 200, what=f"200 from {api}", seconds=10)  # type: ignore[misc]
    return made


def objects(cluster: Cluster, namespace: str) -> dict[str, Json]:
    """Each Client, Contract, Policy and Secret of the namespace, with its version: two answers that are the same say that nothing was written."""
    return {f"{kind} {row['metadata']['name']}": row for kind in _KINDS for row in cluster.list(kind, namespace)}


def wait_counted(cluster: Cluster, namespace: str) -> None:
    """Wait until each Policy counts the contracts in which it is live, which the operator writes at most every ten seconds: it is the last that it has to say."""
    for row in cluster.list("Policy", namespace):
        cluster.wait("Policy", namespace, row["metadata"]["name"], counts, what="contracts being counted")


def counts(policy: Json) -> bool:
    """Whether the Policy says that it is live in all contracts that it applies to, and that there are some."""
    contracts = policy.get("status", {}).get("contracts") or {}
    return bool(contracts.get("live")) and contracts["live"] == contracts["effective"]
