"""The five kinds, twice: as pydantic models from which the CRDs are generated, and as slim dataclasses that the operator keeps in memory.

The models (`client`, `client_status`, `contract`, `policy`, `policy_types`, `gateway`, `grant`, with `base` below them) say what a
manifest may hold; `schema` turns them into CRDs and `generate` writes those to `crds/`. At run time only the slim side is imported, so
that the operator does not pay for pydantic models that the API server has enforced already. This package imports nothing else of ours.
"""
