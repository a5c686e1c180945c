"""A second real gateway beside the environment's own, for what one gateway under two names can't show."""

from __future__ import annotations

import json
from dataclasses import dataclass

from localenv.cluster import Cluster, Json
from localenv.environment import Environment
from localenv.gateway import APIS, GatewayApi, command, configuration
from localenv.install import runtime_gateway
from localenv.ports import free_ports, listening


@dataclass(slots=True)
class SecondGateway:
    """A gateway process of its own; it takes the environment's credentials."""

    env: Environment
    config_port: int
    traffic_port: int

    @classmethod
    def start(cls, env: Environment) -> SecondGateway:
        """Start it empty, with the usual APIs."""
        ports = free_ports("SECOND_GATEWAY_CONFIG_PORT", "SECOND_GATEWAY_PORT")
        running = cls(env, ports["SECOND_GATEWAY_CONFIG_PORT"], ports["SECOND_GATEWAY_PORT"])
        running.up()
        return running

    @property
    def api(self) -> GatewayApi:
        """Its configuration API."""
        url = f"http://127.0.0.1:{self.config_port}"
        return GatewayApi(url=url, user=self.env.gateway_user, password=self.env.gateway_password)

    @property
    def url(self) -> str:
        """Where its APIs are called."""
        return f"http://127.0.0.1:{self.traffic_port}"

    def up(self) -> None:
        """Start the process, empty, and publish the APIs."""
        config = self.env.folder / "second-gateway.json"
        config.touch(mode=0o600)
        content = configuration(
            config_port=self.config_port,
            traffic_port=self.traffic_port,
            user=self.env.gateway_user,
            password=self.env.gateway_password,
        )
        config.write_text(json.dumps(content))
        binaries = self.env.binaries
        line = command(
            java=binaries.java, jar=binaries.gateway_jar, config=config, heap="128m", scratch=self.env.folder
        )
        self.env.processes.start("second-gateway", line)
        self.env.processes.wait_ready(
            "second-gateway", lambda: self.api.up() and listening(self.traffic_port), seconds=90, hint="Free memory."
        )
        for api in APIS:
            self.api.publish(api, backend=self.env.backend_url)

    def down(self) -> None:
        """End the process; it forgets everything."""
        self.env.processes.stop("second-gateway")

    def manifest(self, name: str, **spec: object) -> Json:
        """A RuntimeGateway of that name for it."""
        made = runtime_gateway(self.env)
        made["metadata"]["name"] = name
        made["spec"] |= {"default": False, **spec}
        made["spec"]["apiman"] |= {"endpoint": self.api.url, "publicEndpoint": self.url}
        return made

    def call(self, cluster: Cluster, api: str, key: str) -> int:
        """Call one of its APIs."""
        return cluster.call(f"{self.url}/{api}", key)
