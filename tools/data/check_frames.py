#!/usr/bin/env python3
"""Decode the frames or the flow of a list and report what is bad: ``tools/data/check_frames.py --help``."""

from repflow_mm.apis.data.check_frames import main

if __name__ == '__main__':
    main()
