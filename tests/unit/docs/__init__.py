"""Unit tests of the documentation."""
