"""A real control plane and a real gateway on this machine, without Docker: a development tool, not part of the product.

`Environment` is what tests, the demo and the benchmark use; `python -m localenv up|down|reset-gateway|status` is what a person uses.
"""

from localenv.environment import Environment
from localenv.errors import LocalEnvError

__all__ = ["Environment", "LocalEnvError"]
