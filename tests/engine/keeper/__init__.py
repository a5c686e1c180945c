"""The watch over gateways in virtual time."""
