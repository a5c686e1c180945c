"""The five kinds, twice: as pydantic models that become the CRDs, and as slim dataclasses to keep in memory.

The models say what a manifest may hold: one module for each kind (`client`, `contract`, `policy`, `gateway`, `grant`),
with parts of some beside them (`client_status`, `client_snapshot`, `policy_types`, `policy_authentication`,
`gateway_apiman`, `gateway_status`), and `base` below all. `kinds` and `schema` turn them into CRDs; `generate` writes
those to `crds/`.

At run time only the slim side is imported, so that the operator does not pay for models that the API server has
enforced already. This package imports nothing else of ours, and this module nothing at all, so that it stays so.
"""
