"""A whole Kubernetes cluster in containers, and the images that run in it: what `make e2e` stands on.

What this package deliberately does not do: test anything (that is `tests/e2e`), or change the machine, except where `make e2e-docker` asks for it (`engine`).
"""
