#!/usr/bin/env python3
"""Make the lists of KTH's sequences: ``tools/data/kth.py --help``."""

from repflow_mm.apis.data.kth import main

if __name__ == '__main__':
    main()
