#!/usr/bin/env python3
"""Measure what a clip costs, with and without flow: ``tools/compare_cost.py [--depth 34 --frames 16 --size 112]``."""

from repflow_mm.benchmarks.compare_cost import main

if __name__ == '__main__':
    main()
