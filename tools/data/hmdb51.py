#!/usr/bin/env python3
"""Make the lists of HMDB51's splits: ``tools/data/hmdb51.py --help``."""

from repflow_mm.apis.data.hmdb51 import main

if __name__ == '__main__':
    main()
