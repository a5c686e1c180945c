"""Sets up logging: text for a terminal, JSON lines for a collector, the audit lines apart.

Invariants: Kopf's own chatter starts at WARNING; what carries a tenant's words is escaped, so that nobody writes a second line into the log.
What this module deliberately does not do: search messages for keys; no message is made with one.
"""

from __future__ import annotations

import logging
import sys

import orjson

AUDIT = "registrar.audit"


class TextFormatter(logging.Formatter):
    """One line for each record, whatever is in it; a traceback follows indented."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as text."""
        message = record.getMessage().replace("\r", "\\r").replace("\n", "\\n")
        line = f"{self.formatTime(record, '%H:%M:%S')} {record.levelname.lower():7} {record.name}: {message}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


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
