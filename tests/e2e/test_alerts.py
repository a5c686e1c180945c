"""A real Prometheus on the chart's ServiceMonitor and PrometheusRule: both replicas are scraped, the dashboard has its numbers, and alerts fire for what happens.

Prometheus is given what the chart renders, with two changes: it scrapes every second, by the chart's own value, and `for:` of each alert is divided by 60 (a
minute is a second). The chart itself is installed with its defaults.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from uuid import uuid4

import pytest

from docs.generate.metrics import families
from localenv.charts import OPERATOR_CHART, render
from localenv.cluster import Cluster, client, condition, contract, secret, until
from localenv.environment import ROOT
from localenv.errors import LocalEnvError
from tests.e2e import scraping, workloads
from tests.e2e.prometheus import Prometheus
from tests.e2e.release import NAME, NAMESPACE, Release, runtime_gateway
from tests.e2e.site import Site

pytestmark = pytest.mark.e2e
DASHBOARD = json.loads((ROOT / "charts/gateway-registrar/files/dashboard.json").read_text())
RATE_INTERVAL = "1m"
"""What Grafana makes of $__rate_interval for a data source that is left as it is: four times 15 s."""
EMPTY_WHILE_ALL_IS_WELL = {"gateway_registrar_calls_total", "gateway_registrar_sweep_findings_total"}
"""What the dashboard shows of these is calls that failed, and what the watch has lost."""
FASTER = {
    "metrics": {
        "serviceMonitor": {"enabled": True, "interval": "1s", "scrapeTimeout": "1s"},
        "prometheusRule": {"enabled": True},
    }
}


@pytest.fixture(scope="module")
def prometheus(site: Site, release: Release) -> Iterator[Prometheus]:
    """One for all tests of this module; it has seen both replicas."""
    release.ensure()
    release.ensure_gateways()
    rendered = {row["kind"]: row for row in render(OPERATOR_CHART, FASTER, namespace=NAMESPACE, release=NAME)}
    made = Prometheus(site, namespace=f"e2e-{uuid4().hex[:8]}", watched=NAMESPACE)
    try:
        made.start(
            scrape_configs=scraping.scrape_configs(rendered["ServiceMonitor"]),
            rules=scraping.rules(rendered["PrometheusRule"], divisor=60),
        )
        until(lambda: len(made.query("up == 1")) == 2, what="both replicas being scraped", seconds=60)
        yield made
    finally:
        made.remove()


def serving(cluster: Cluster, namespace: str, name: str) -> None:
    """A registered Client with one Contract."""
    cluster.apply(client(namespace, name), contract(namespace, name, client=name, api="orders", version="1.0"))
    cluster.wait_phase(namespace, name, "Registered")


def test_both_replicas_are_scraped(prometheus: Prometheus, operator: Release) -> None:
    """Fails when the ServiceMonitor does not find a replica, or finds something else, or when its labels are not those that the alerts and the dashboard know."""
    targets = {target["labels"].pop("pod"): target["labels"] for target in prometheus.targets()}
    assert targets.keys() == {pod["metadata"]["name"] for pod in operator.pods()}
    for labels in targets.values():
        assert labels.pop("instance").endswith(":8080")
        assert labels == {
            "job": NAME,
            "namespace": NAMESPACE,
            "service": f"{NAME}-metrics",
            "container": "operator",
            "endpoint": "metrics",
        }
    leading = prometheus.query('leader_election_master_status{name="gateway-registrar"} == 1')
    assert [labels["pod"] for labels, _ in leading] == [operator.leader()]
    clashing = [label for label in prometheus.ask("labels") if label.startswith("exported_")]
    assert not clashing, "a metric has a label that a scrape sets"


def test_the_metrics_and_the_dashboard(prometheus: Prometheus, operator: Release, namespace: str) -> None:
    """Fails when a documented metric does not reach Prometheus, or a panel of the dashboard can't be evaluated or shows nothing."""
    cluster = operator.cluster
    serving(cluster, namespace, "first")
    until(lambda: bool(prometheus.query("gateway_registrar_effects_total")), what="an effect being counted")
    serving(cluster, namespace, "second")  # an increase, which the first of its kind is not
    cluster.annotate("Client", namespace, "second", "reregister", "one")
    job, gateways = (variable(prometheus, name) for name in ("job", "gateway"))
    assert job == [NAME] and "default" in gateways
    wait_shown(prometheus, job=NAME)
    exposed = {f"{row.name}_count" if row.type == "histogram" else row.name for row in families()}
    missing = exposed - set(prometheus.ask("label/__name__/values")) - EMPTY_WHILE_ALL_IS_WELL
    assert not missing, "documented, and not scraped"


def variable(prometheus: Prometheus, name: str) -> list[str]:
    """The values of a variable of the dashboard, by its own definition."""
    (row,) = (row for row in DASHBOARD["templating"]["list"] if row["name"] == name)
    series, label = re.fullmatch(r"label_values\((.+), (\w+)\)", row["definition"]).groups()  # type: ignore[union-attr]
    found: list[str] = prometheus.ask(f"label/{label}/values", **{"match[]": series.replace("$job", NAME)})
    return found


def wait_shown(prometheus: Prometheus, *, job: str) -> None:
    """Wait until every expression of the dashboard gives something, for all gateways; fails when one is refused."""
    expressions = {target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", ())}
    left = {text for text in expressions if not any(name in text for name in EMPTY_WHILE_ALL_IS_WELL)}
    for text in expressions - left:
        prometheus.query(filled_in(text, job=job))

    def all_shown() -> bool:
        left.difference_update([text for text in left if prometheus.query(filled_in(text, job=job))])
        return not left

    try:
        until(all_shown, what="every panel having data")
    except LocalEnvError as error:
        raise LocalEnvError(f"{error} These give nothing: {sorted(left)}") from error


def filled_in(expression: str, *, job: str) -> str:
    """An expression as Grafana sends it."""
    return expression.replace("$__rate_interval", RATE_INTERVAL).replace("$job", job).replace("$gateway", ".*")


def test_every_rule_is_evaluated(prometheus: Prometheus) -> None:
    """Fails when an expression of an alert meets series in a real cluster that it can't be evaluated over, or when a rule got lost."""
    until(lambda: all(rule["health"] != "unknown" for rule in prometheus.rules()), what="every rule being evaluated")
    unhealthy = {rule["name"]: rule.get("lastError") for rule in prometheus.rules() if rule["health"] != "ok"}
    assert not unhealthy
    pages = {page.stem for page in (ROOT / "docs/runbooks").glob("GatewayRegistrar*.md")}
    assert {rule["name"] for rule in prometheus.rules()} == pages


@pytest.fixture
def faulty(prometheus: Prometheus, operator: Release, namespace: str) -> Iterator[str]:
    """Two RuntimeGateways of the test's own, `<it>-away` behind a Service that is not there and `<it>-locked` with a wrong password."""
    cluster, site = operator.cluster, operator.site
    cluster.apply(secret(NAMESPACE, namespace, username=site.gateway_user, password="wrong"))
    elsewhere = workloads.GATEWAY_CONFIG_URL.replace(workloads.GATEWAY, "nobody")
    cluster.apply(
        runtime_gateway(site, f"{namespace}-away", endpoint=elsewhere),
        runtime_gateway(site, f"{namespace}-locked", credentialsSecretRef={"name": namespace}),
    )
    yield namespace
    for name in ("away", "locked"):
        cluster.delete("RuntimeGateway", "", f"{namespace}-{name}")
        cluster.wait_gone("RuntimeGateway", "", f"{namespace}-{name}")
    cluster.delete("Secret", NAMESPACE, namespace)


def test_gateways_that_can_not_be_used(prometheus: Prometheus, operator: Release, faulty: str) -> None:
    """Fails when nobody is told of a gateway that does not answer or refuses the credentials, or goes on being told when it is mended."""
    where = {"namespace": NAMESPACE, "severity": "critical"}
    away, locked = f"{faulty}-away", f"{faulty}-locked"
    told = prometheus.wait_firing(alertname="GatewayRegistrarGatewayNotReady", gateway=away)
    assert told.items() >= where.items()
    told = prometheus.wait_firing(alertname="GatewayRegistrarCredentialsRefused", gateway=locked)
    assert told.items() >= (where | {"reason": "GatewayUnauthorized"}).items()
    firing = {(alert["alertname"], alert.get("gateway")) for alert in prometheus.firing()}
    assert ("GatewayRegistrarCredentialsRefused", away) not in firing
    assert not {alert for alert, gateway in firing if gateway == "default"}, "nothing is wrong with this one"
    cluster = operator.cluster
    cluster.apply(runtime_gateway(operator.site, away))
    cluster.wait("RuntimeGateway", "", away, lambda o: condition(o, "Ready").get("status") == "True", what="Ready")
    prometheus.wait_silent(alertname="GatewayRegistrarGatewayNotReady", gateway=away)


def test_an_action_that_fails(prometheus: Prometheus, operator: Release, namespace: str) -> None:
    """Fails when nobody is told that an action which somebody asked for was given up."""
    key = secret(namespace, "own", apiKey=f"a-key-of-the-users-own-{namespace}")
    spec = {"apiKey": {"source": "Existing", "secretName": "own"}}
    operator.cluster.apply(key, client(namespace, "shop", **spec))
    operator.cluster.wait_phase(namespace, "shop", "Created")
    operator.cluster.annotate("Client", namespace, "shop", "rotate-key", "one")
    told = prometheus.wait_firing(alertname="GatewayRegistrarActionsFailed", verb="rotate-key")
    assert told.items() >= {"namespace": NAMESPACE, "severity": "warning"}.items()


def test_no_operator_at_all(prometheus: Prometheus, operator: Release) -> None:
    """Fails when nobody is told that no replica runs, or goes on being told when they do."""
    assert not [alert for alert in prometheus.firing() if alert["alertname"] == "GatewayRegistrarAbsent"]
    operator.stop()
    try:
        told = prometheus.wait_firing(alertname="GatewayRegistrarAbsent")
        assert told["severity"] == "critical"
    finally:
        operator.start()
    prometheus.wait_silent(alertname="GatewayRegistrarAbsent")
