"""Tests of the kinds: models, schemas, and the CRDs that are generated from them."""
