"""What a PromQL expression reads: its metrics and labels, as far as tests must know; promtool checks the syntax.

What this module deliberately does not do: evaluate.
"""

from __future__ import annotations

import re

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_MATCHERS = re.compile(r"([A-Za-z_:][\w:]*)?\{([^}]*)\}")
_LABEL = re.compile(r"([A-Za-z_]\w*)\s*(?:=~|!~|!=|=)")
_GROUPING = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")
_RANGE = re.compile(r"\[[^\]]*\]")
_WORD = re.compile(r"(?<![\w:])([A-Za-z_:][\w:]*)(\s*\()?")
_OPERATORS = {"and", "or", "unless", "bool", "offset", "by", "without", "on", "ignoring", "group_left", "group_right"}


def metrics_of(expression: str) -> set[str]:
    """The names of the series that are read."""
    text = _RANGE.sub(" ", _GROUPING.sub(" ", _MATCHERS.sub(r"\1 ", _STRING.sub('""', _plain(expression)))))
    return {word for word, call in _WORD.findall(text) if not call and word not in _OPERATORS}


def labels_of(expression: str) -> set[str]:
    """The labels that are matched or grouped by, over all metrics."""
    text = _STRING.sub('""', _plain(expression))
    matched = {label for _, inside in _MATCHERS.findall(text) for label in _LABEL.findall(inside)}
    return matched | {
        label.strip() for inside in _GROUPING.findall(text) for label in inside.split(",") if label.strip()
    }


def _plain(expression: str) -> str:
    """Grafana's variables stand for values and durations."""
    return re.sub(r"\$\{?\w+\}?", "1", expression)
