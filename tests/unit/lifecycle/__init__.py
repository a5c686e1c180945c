"""The rules of a Client's life, without any I/O."""
