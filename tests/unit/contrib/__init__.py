"""The files in `contrib/`, run as the tools that they are for would run them."""
