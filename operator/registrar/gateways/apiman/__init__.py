"""The Apiman gateway: its configuration API, and its form of each policy."""
