"""All tests: unit, engine (virtual time), and integration against a real API server and gateway."""
