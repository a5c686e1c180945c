"""The commands of `kubectl registrar`, one module each."""
