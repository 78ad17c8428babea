#!/usr/bin/env python3
"""Make the lists of Tiny-Kinetics: ``tools/data/tiny_kinetics.py --help``."""

from repflow_mm.apis.data.tiny_kinetics import main

if __name__ == '__main__':
    main()
