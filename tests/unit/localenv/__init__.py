"""Unit tests of localenv."""
