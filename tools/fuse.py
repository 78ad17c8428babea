#!/usr/bin/env python3
"""Fuse dumped scores: ``tools/fuse.py NAME=SCORES.pkl ... [--weights ... | --search-split SPLIT ...] [--out FILE]``."""

from repflow_mm.apis.fuse import main

if __name__ == '__main__':
    main()
