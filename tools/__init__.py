"""What is run on the repository itself and not shipped: `python -m tools.bump`."""
