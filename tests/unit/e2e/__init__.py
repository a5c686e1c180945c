"""Unit tests of what judges in tests/e2e: that it finds what is wrong, without a cluster."""
