#!/usr/bin/env python3
"""Check, then time the solver, networks and TV-L1: ``tools/benchmark.py [solver|sizes|scaling|models|tvl1 ...]``."""

from repflow_mm.benchmarks.report import main

if __name__ == '__main__':
    main()
