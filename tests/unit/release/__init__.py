"""Unit tests of the release: the workflows and the version."""
