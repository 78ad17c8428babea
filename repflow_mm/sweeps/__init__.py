"""Sweeps: the configs of a table, trained and tested with several seeds."""

from repflow_mm.compat import prepare_upstream

prepare_upstream()
