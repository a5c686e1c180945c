"""Unit tests of metrics, of the alerts and of the dashboard."""
