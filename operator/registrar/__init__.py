"""gateway-registrar: keeps the clients of runtime gateways as custom resources say they should be."""

__version__ = "0.1.0"
