"""The driver for the Apiman gateway: its HTTP calls (`driver`) and the form of its policies on the wire (`wire`)."""
