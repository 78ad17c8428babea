#!/usr/bin/env python3
"""Make the lists of UCF101's splits: ``tools/data/ucf101.py --help``."""

from repflow_mm.apis.data.ucf101 import main

if __name__ == '__main__':
    main()
