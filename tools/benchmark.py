#!/usr/bin/env python3
"""Check, then time the solver, networks, TV-L1 and flow on disk: ``tools/benchmark.py [PART ...]``, see ``--help``."""

from repflow_mm.benchmarks.report import main

if __name__ == '__main__':
    main()
