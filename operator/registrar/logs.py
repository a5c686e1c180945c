"""Sets up logging: text for a terminal, JSON lines for a collector, the audit lines apart.

Invariants: Kopf's own chatter starts at WARNING; what carries a tenant's words is escaped, so that nobody writes a second line into the log, or commands to
the terminal that shows it; a line has a bound.
What this module deliberately does not do: search messages for keys; no message is made with one.
"""

from __future__ import annotations

import logging
import sys

import orjson

AUDIT = "registrar.audit"


LONGEST = 4096
"""Characters of a message that are written; an audit line is written whole."""


def escaped(text: str) -> str:
    """The text with everything that is not printable written as an escape: line breaks, control sequences, separators that some viewers break lines at."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


class TextFormatter(logging.Formatter):
    """One line for each record, whatever is in it; a traceback follows indented, so that no line of it can pass for a record."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as text."""
        message = escaped(record.getMessage())
        if record.name != AUDIT and len(message) > LONGEST:
            message = f"{message[:LONGEST]}…"
        line = f"{self.formatTime(record, '%H:%M:%S')} {record.levelname.lower():7} {record.name}: {message}"
        if not record.exc_info:
            return line
        trace = self.formatException(record.exc_info).splitlines()
        return "\n".join((line, *(f"    {escaped(row)}" for row in trace)))


class JsonFormatter(logging.Formatter):
    """One JSON object for each record."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON."""
        row = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            row["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(row).decode()


def configure(*, level: str, form: str, audit_log: str) -> None:
    """Send everything of `level` and above to standard error in `form` (text or json), and audit lines to the file, if one is named."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in ("kopf", "kopf.objects", "aiohttp.access"):
        logging.getLogger(name).setLevel(logging.WARNING)
    audit = logging.getLogger(AUDIT)
    if audit_log:
        file = logging.FileHandler(audit_log)
        file.setFormatter(logging.Formatter("%(message)s"))
        audit.handlers[:] = [file]
        audit.propagate = False
