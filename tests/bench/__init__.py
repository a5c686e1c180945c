"""Measures the operator on a real API server and a real gateway, beside a bare replay of its own writes: `make bench`."""
