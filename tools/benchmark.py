#!/usr/bin/env python3
"""Measure speed, memory and error, in parts that ``--help`` names: ``tools/benchmark.py PART [flags]``."""

from benchmarks.command_line import main

if __name__ == '__main__':
    main()
