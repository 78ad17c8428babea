"""The solvers in C: build, launchers, operators."""
