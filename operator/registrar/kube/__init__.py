"""The API server: a lean client, and the few things that the operator writes."""
