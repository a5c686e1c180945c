"""The lifecycle of a Client, as pure functions: no I/O, no clock, no framework."""
