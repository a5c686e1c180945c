"""Runs Argo CD's Lua scripts in the way in which Argo CD runs them: `util/lua/lua.go` and `oslib_safe.go` of argoproj/argo-cd.

What a script has there, and here: Lua 5.1, the base functions, `table`, `require("os")` with `time` and `date` alone, the global `obj`, and one second. No
`string`, `math` or `io` library and no global `os`: scripts from a ConfigMap run without `useOpenLibs`. Lua can't tell an empty list from an empty object, so
what comes back is repaired from the object that went in, as Argo CD does it.

Invariants: a script that uses what Argo CD does not give it fails here too. What this module deliberately does not do: decide anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import lupa.lua51 as lupa  # type: ignore[import-untyped]

Json = dict[str, Any]
LuaError = lupa.LuaError
HEALTH = ("Healthy", "Progressing", "Degraded", "Suspended", "Missing", "Unknown")
"""The words that Argo CD takes; any other becomes `Unknown`."""

_STEPS = 1_000_000
"""How many instructions a script may run, in place of Argo CD's second."""
_SANDBOX = """
local time, date, steps = os.time, os.date, ...
for _, name in ipairs({"string", "math", "io", "os", "debug", "coroutine", "python", "bit", "jit", "ffi", "dofile", "loadfile"}) do
  _G[name] = nil
end
package = {loaded = {}, preload = {os = function() return {time = time, date = date} end}}
function require(name)
  local loader = package.preload[name]
  if not loader then error("module " .. name .. " not found", 2) end
  return loader()
end
"""
_STRINGS = """
local guard = debug.sethook
guard(function() error("the script takes too long", 0) end, "", ...)
getmetatable("").__index = nil
"""


@dataclass(frozen=True, slots=True)
class Health:
    """What the script says of an object."""

    status: str
    message: str


def health(script: str, obj: Mapping[str, Any]) -> Health:
    """Run a health script; raises AssertionError where Argo CD would show an error or `Unknown` in place of what the script meant."""
    found = _run(script, obj)
    assert isinstance(found, dict), f"expect table output from Lua script, not {type(found).__name__}"
    assert found.keys() <= {"status", "message"}, f"Argo CD reads status and message only: {sorted(found)}"
    assert found.get("status") in HEALTH, f"Lua returned an invalid health status: {found.get('status')}"
    message = found.get("message", "")
    assert isinstance(message, str), "the message is no text"
    return Health(found["status"], message)


def discover(script: str, obj: Mapping[str, Any]) -> dict[str, Json]:
    """Run a discovery script; the actions by name, each with what Argo CD reads of it. An empty table is a list in Argo CD's reading: no action."""
    found = _run(script, obj)
    if found == []:
        return {}
    assert isinstance(found, dict), "no table of actions"
    actions = {name: {} if value == [] else value for name, value in found.items()}
    for name, value in actions.items():
        assert value.keys() <= {"disabled", "iconClass", "displayName", "params"}, f"{name}: {sorted(value)}"
        assert isinstance(value.get("disabled", False), bool), f"{name}: only a boolean disables"
    return actions


def act(script: str, obj: Mapping[str, Any]) -> Json:
    """Run an action of the old style, which returns the changed object; Argo CD patches the live one with the difference."""
    found = _run(script, obj)
    assert isinstance(found, dict), "no object"
    return _repaired(found, obj)


def _run(script: str, obj: Mapping[str, Any]) -> Any:
    lua = lupa.LuaRuntime(unpack_returned_tuples=True, register_eval=False, register_builtins=False)
    lua.execute(_STRINGS, _STEPS)
    lua.execute(_SANDBOX)
    lua.globals().obj = _to_lua(lua, obj)
    return _from_lua(lua.execute(script))


def _to_lua(lua: Any, value: Any) -> Any:
    """As `decodeValue`: null is nil, so that its key is not there."""
    if isinstance(value, Mapping):
        return lua.table_from({key: _to_lua(lua, item) for key, item in value.items() if item is not None})
    if isinstance(value, list):
        return lua.table_from([_to_lua(lua, item) for item in value if item is not None])
    return value


def _from_lua(value: Any) -> Any:
    """As gopher-json encodes: a table with a first element is a list, an empty one too, any other an object with text keys."""
    if lupa.lua_type(value) == "table":
        keys = list(value.keys())
        if not keys or 1 in keys:
            assert keys == list(range(1, len(keys) + 1)), "a sparse or mixed table can't be encoded"
            return [_from_lua(value[key]) for key in keys]
        assert all(isinstance(key, str) for key in keys), "a mixed table can't be encoded"
        return {key: _from_lua(value[key]) for key in keys}
    assert lupa.lua_type(value) is None, f"a {lupa.lua_type(value)} can't be encoded"
    return value


def _repaired(new: Json, old: Mapping[str, Any]) -> Json:
    """As `cleanReturnedObj`: where the script gives back an empty list and an object was there, the object stands."""
    for key in new.keys() & old.keys():
        value, before = new[key], old[key]
        if isinstance(value, dict) and isinstance(before, Mapping):
            new[key] = _repaired(value, before)
        elif value == [] and isinstance(before, Mapping):
            new[key] = dict(before)
        elif isinstance(value, list) and isinstance(before, list):
            new[key] = [
                _repaired(item, was) if isinstance(item, dict) and isinstance(was, Mapping) else item
                for item, was in zip(value, before, strict=False)
            ]
    return new
