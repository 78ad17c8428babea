"""Sweeps: the configs of a table, trained and tested with several seeds."""
