#!/usr/bin/env python3
"""Make the lists of Jester: ``tools/data/jester.py --help``."""

from repflow_mm.apis.data.jester import main

if __name__ == '__main__':
    main()
