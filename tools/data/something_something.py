#!/usr/bin/env python3
"""Make the lists of Something-Something V1 or V2: ``tools/data/something_something.py --help``."""

from repflow_mm.apis.data.something_something import main

if __name__ == '__main__':
    main()
