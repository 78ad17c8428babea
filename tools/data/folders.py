#!/usr/bin/env python3
"""Make the lists of your own folders of videos: ``tools/data/folders.py --help``."""

from repflow_mm.apis.data.folders import main

if __name__ == '__main__':
    main()
