"""Unit tests of gateways."""
