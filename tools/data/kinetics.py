#!/usr/bin/env python3
"""Make the lists of Kinetics-400, -600 or -700: ``tools/data/kinetics.py --help``."""

from repflow_mm.apis.data.kinetics import main

if __name__ == '__main__':
    main()
