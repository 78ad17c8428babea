#!/usr/bin/env python3
"""Make the lists of Weizmann's nine folds: ``tools/data/weizmann.py --help``."""

from repflow_mm.apis.data.weizmann import main

if __name__ == '__main__':
    main()
