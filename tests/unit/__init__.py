"""Tests that touch no network and no clock."""
