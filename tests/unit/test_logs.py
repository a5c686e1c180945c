"""The log: one record is one line, whatever a tenant has put into it."""

from __future__ import annotations

import logging

import orjson

from registrar.logs import AUDIT, LONGEST, JsonFormatter, TextFormatter

NASTY = "shop\n12:00:00 error registrar: forged\r\x1b[2J\u2028\x85\x00end"


def record(message: str, *, name: str = "registrar.test", error: BaseException | None = None) -> logging.LogRecord:
    """A record with that message as an argument."""
    info = (type(error), error, error.__traceback__) if error is not None else None
    return logging.LogRecord(name, logging.WARNING, __file__, 1, "client %s", (message,), info)


def test_a_record_is_one_line() -> None:
    """Fails when a name writes a second line into the log, or commands to the terminal."""
    text = TextFormatter().format(record(NASTY))
    assert text.isprintable()
    assert "client shop\\n12:00:00 error registrar: forged\\r\\x1b[2J\\u2028\\x85\\x00end" in text


def test_a_traceback_can_not_pass_for_a_record() -> None:
    """Fails when an exception's text starts a line of its own."""
    try:
        raise ValueError(NASTY)
    except ValueError as error:
        first, *rest = TextFormatter().format(record("shop", error=error)).split("\n")
    assert "client shop" in first
    assert rest and all(row.startswith("    ") and row.isprintable() for row in rest)


def test_a_long_message_is_cut() -> None:
    """Fails when a text of a megabyte fills the log; an audit line is whole, because half of it is none."""
    assert len(TextFormatter().format(record("x" * 1_000_000))) < LONGEST + 100
    assert len(TextFormatter().format(record("x" * 1_000_000, name=AUDIT))) > 1_000_000


def test_json_is_one_line() -> None:
    """Fails when the form for collectors has a line break in it."""
    text = JsonFormatter().format(record(NASTY))
    assert "\n" not in text
    assert orjson.loads(text)["message"] == f"client {NASTY}"
