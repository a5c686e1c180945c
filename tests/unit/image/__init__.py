"""Tests of the image that need no builder."""
