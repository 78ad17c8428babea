#!/usr/bin/env python3
"""Make the lists of Diving48: ``tools/data/diving48.py --help``."""

from repflow_mm.apis.data.diving48 import main

if __name__ == '__main__':
    main()
