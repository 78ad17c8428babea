#!/usr/bin/env python3
"""Make the lists of EgoGestAR: ``tools/data/egogestar.py --help``."""

from repflow_mm.apis.data.egogestar import main

if __name__ == '__main__':
    main()
