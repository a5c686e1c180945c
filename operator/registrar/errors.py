"""The one exception tree of the operator, and what a caller does with each branch.

    RegistrarError
    ├── SettingsError                  wrong configuration: the process does not start
    ├── KubeError                      the API server's side
    │   ├── KubeUnavailable            no answer, a cut answer, 5xx, 429, nonsense: try again later
    │   ├── KubeConflict               409/412: somebody else wrote first; requeue with fresh facts
    │   ├── KubeNotFound               404: the object is gone
    │   ├── KubeGone                   410: the list or watch must start anew
    │   └── KubeRefused                401, 403, 422 and other 4xx: a person must change something
    ├── GatewayError                   the runtime gateway's side
    │   ├── GatewayUnreachable         no connection or TLS fault: nothing was sent; try again later
    │   ├── GatewayAmbiguous           sent, but the answer is lost or nonsense: it may have happened
    │   ├── GatewayThrottled           429/503; carries `retry_after`
    │   ├── GatewayUnauthorized        401/403: wrong credentials
    │   ├── GatewayApiNotPublished     a contract names an API that the gateway does not have
    │   └── GatewayRefused             any other refusal; retrying the same request is no use
    └── LeaseLost                      this replica is no longer the leader: stop changing things

Invariants: no message holds a key, a Secret value or an answer body of the gateway; every message is a
constant or is made of names that passed `resources.names`. What this module deliberately does not do: retry,
log, or map to conditions (see `lifecycle.conditions` and `engine.queue`).
"""

from __future__ import annotations


class RegistrarError(Exception):
    """Root of everything this operator raises on purpose."""


class SettingsError(RegistrarError):
    """The settings are wrong; `problems` has one line for each mistake."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        """Keep the lines; the text of the error is all of them."""
        super().__init__("\n".join(problems))
        self.problems = problems


class KubeError(RegistrarError):
    """A call to the API server failed; `status` is the HTTP code, or 0 without an answer."""

    def __init__(self, message: str, *, status: int = 0, retry_after: float | None = None) -> None:
        """Keep the message (the API server's own `message` field is allowed: it never holds Secret data)."""
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after


class KubeUnavailable(KubeError):
    """No usable answer; the call may or may not have taken effect."""


class KubeConflict(KubeError):
    """The object has changed since it was read (409), or a precondition failed (412)."""


class KubeNotFound(KubeError):
    """The object does not exist (404)."""


class KubeGone(KubeError):
    """The resourceVersion or continue token is too old (410)."""


class KubeRefused(KubeError):
    """The API server refused the request for good (401, 403, 422, other 4xx)."""


class GatewayError(RegistrarError):
    """A call to a runtime gateway failed; `status` is the HTTP code, or 0 without an answer."""

    def __init__(self, message: str, *, status: int = 0, retry_after: float | None = None) -> None:
        """Keep a message made of constants and checked names only."""
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after


class GatewayUnreachable(GatewayError):
    """Nothing was sent: no connection, no TLS, or the circuit breaker is open."""


class GatewayAmbiguous(GatewayError):
    """The request was sent and no usable answer came: it may have taken effect, now or later."""


class GatewayThrottled(GatewayError):
    """The gateway asked for less load (429, or 503 with Retry-After)."""


class GatewayUnauthorized(GatewayError):
    """The gateway did not accept the operator's credentials."""


class GatewayApiNotPublished(GatewayError):
    """A registration was refused because an API in it is not published; nothing was changed."""


class GatewayRefused(GatewayError):
    """The gateway refused the request; the same request would be refused again."""


class LeaseLost(RegistrarError):
    """The leader Lease is not held, or is too old to start a changing call."""
