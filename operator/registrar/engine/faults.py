"""What a gateway's error is called in conditions, in the change log and in the audit line.

What this module deliberately does not do: handle an error.
"""

from __future__ import annotations

from registrar.errors import (
    GatewayAmbiguous,
    GatewayApiNotPublished,
    GatewayThrottled,
    GatewayUnauthorized,
    GatewayUnreachable,
)
from registrar.lifecycle.model import Fault
from registrar.resources.reasons import Reason


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


def word_of(error: Exception) -> str:
    """The word of the change log and of the audit line: that of the condition, or that of the Contracts when the error is of one registration, not of the gateway."""
    return Reason.API_NOT_PUBLISHED.value if isinstance(error, GatewayApiNotPublished) else fault_of(error).value
