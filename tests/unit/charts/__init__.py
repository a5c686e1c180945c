"""Tests of the charts, rendered with Helm's own library."""
