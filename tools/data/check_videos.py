#!/usr/bin/env python3
"""Decode every video of a list and report the bad ones: ``tools/data/check_videos.py --help``."""

from repflow_mm.apis.data.check_videos import main

if __name__ == '__main__':
    main()
