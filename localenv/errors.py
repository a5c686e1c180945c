"""What can go wrong in the local environment: one exception, whose text says what, where, and the next step."""

from __future__ import annotations


class LocalEnvError(Exception):
    """The local environment can't do what was asked; the message is for a person."""
