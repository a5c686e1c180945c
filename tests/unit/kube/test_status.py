"""The smallest patch: applied to the old status it gives the new one, and nothing is sent when they are equal."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from registrar.kube.status import merge_patch

VALUES = st.recursive(
    st.integers() | st.text(max_size=5) | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)
STATUSES = st.dictionaries(st.text(max_size=3), VALUES, max_size=5)


def applied(target: Any, patch: Any) -> Any:
    """RFC 7386, word for word."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = applied(result.get(key), value)
    return result


@given(STATUSES, STATUSES)
def test_the_patch_gives_the_new_status(old: dict[str, Any], new: dict[str, Any]) -> None:
    """Fails when a field that vanished survives, or a list is merged instead of replaced."""
    assert applied(old, merge_patch(old, new)) == new


@given(STATUSES)
def test_nothing_changed_is_no_patch(status: dict[str, Any]) -> None:
    """Fails when an operator that has nothing to say writes."""
    assert merge_patch(status, dict(status)) == {}
