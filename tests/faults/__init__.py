"""Faults on purpose: an operator that crashes where it is told, and a proxy in front of the gateway."""
