"""Unit tests of settings."""
