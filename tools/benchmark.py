#!/usr/bin/env python3
"""Measure the solver, networks, what a clip costs, TV-L1 and flow on disk: ``tools/benchmark.py PART [flags]``."""

from benchmarks.command_line import main

if __name__ == '__main__':
    main()
