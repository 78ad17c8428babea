#!/usr/bin/env python3
"""Render the clips of the demo and its ablations: ``tools/data/make_motion_clips.py --help``."""

from repflow_mm.apis.data.make_motion_clips import main

if __name__ == '__main__':
    main()
