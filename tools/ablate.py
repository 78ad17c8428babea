#!/usr/bin/env python3
"""Run the configs of a table with several seeds: ``tools/ablate.py TABLE|CONFIG ... [--seeds 0 1 2] [--list]``."""

import sys

from repflow_mm.sweeps.ablate import main

if __name__ == '__main__':
    sys.exit(1 if main() else 0)
