#!/usr/bin/env python3
"""Make configs/*/metafile.yml of the configs and of configs/paper_results.yml: ``tools/metafiles.py [--check]``."""

import sys

from repflow_mm.apis.metafiles import main

if __name__ == '__main__':
    sys.exit(1 if main() else 0)
