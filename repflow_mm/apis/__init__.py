"""What the tools do."""

from repflow_mm.compat import prepare_upstream

prepare_upstream()
