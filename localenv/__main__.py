"""`python -m localenv up|down|reset-gateway|status`: the local environment by hand."""

from __future__ import annotations

import argparse
import sys

from localenv.environment import Environment, default_folder
from localenv.errors import LocalEnvError


def main() -> int:
    """Do what the command line says; 0 when it worked, 1 with one message when not."""
    parser = argparse.ArgumentParser(prog="python -m localenv", description=__doc__)
    parser.add_argument("command", choices=("up", "down", "reset-gateway", "status"))
    wanted = parser.parse_args().command
    try:
        return _COMMANDS[wanted]()
    except LocalEnvError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; what was started by this command is stopped", file=sys.stderr)
        return 130


def _up() -> int:
    environment = Environment.up()
    print(f"API server  {environment.apiserver_url}\nGateway     {environment.gateway_url}")
    print(f"Settings    {environment.folder / 'env'}\nNext: make run, or make down to stop it")
    return 0


def _down() -> int:
    folder = default_folder()
    if not folder.is_dir():
        print("nothing runs")
        return 0
    Environment.at(folder).down()
    print("stopped")
    return 0


def _reset_gateway() -> int:
    environment = _running()
    environment.reset_gateway()
    print("the gateway is empty but for its three APIs")
    return 0


def _status() -> int:
    environment = _running()
    for name in environment.processes.names():
        process = environment.processes.find(name)
        print(f"{name:25} {'pid ' + str(process.pid) if process else 'not running'}")
    return 0


def _running() -> Environment:
    folder = default_folder()
    if not (folder / "env").is_file():
        raise LocalEnvError("The local environment does not run. Start it with `make up`.")
    return Environment.at(folder)


_COMMANDS = {"up": _up, "down": _down, "reset-gateway": _reset_gateway, "status": _status}

if __name__ == "__main__":
    sys.exit(main())
