"""One call of an API through the gateway, and what its answer means."""
