"""What a gateway's error is called in conditions, in the change log and in the audit line.

What this module deliberately does not do: handle an error.
"""

from __future__ import annotations

from registrar.errors import GatewayAmbiguous, GatewayThrottled, GatewayUnauthorized, GatewayUnreachable
from registrar.lifecycle.model import Fault


def fault_of(error: Exception) -> Fault:
    """The condition's word for a gateway error."""
    match error:
        case GatewayUnauthorized():
            return Fault.UNAUTHORIZED
        case GatewayThrottled():
            return Fault.THROTTLED
        case GatewayUnreachable() | GatewayAmbiguous():
            return Fault.UNREACHABLE
        case _:
            return Fault.REFUSED
