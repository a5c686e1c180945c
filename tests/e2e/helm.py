"""`python -m tests.e2e.helm uninstall NAME... -n NAMESPACE`: the helm command of a page, carried out by Helm's own library.

What this module deliberately does not do: any other command of helm's; the tests call the library for those (`release`).
"""

from __future__ import annotations

import argparse
import sys

import helm_python


def main() -> int:
    """Uninstall the releases from the cluster of KUBECONFIG; 1 with Helm's message when it refuses."""
    parser = argparse.ArgumentParser(prog="helm")
    uninstall = parser.add_subparsers(required=True).add_parser("uninstall")
    uninstall.add_argument("names", nargs="+", metavar="NAME")
    uninstall.add_argument("-n", "--namespace", required=True)
    wanted = parser.parse_args()
    try:
        with helm_python.Config(namespace=wanted.namespace) as helm:
            for name in wanted.names:
                helm.uninstall(name)
                print(f'release "{name}" uninstalled')
    except helm_python.HelmError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
