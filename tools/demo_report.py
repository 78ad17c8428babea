#!/usr/bin/env python3
"""Report the demo's results: ``tools/demo_report.py WORK_DIR NAME=CONFIG ... [--seed N]``."""

from repflow_mm.apis.demo import main

if __name__ == '__main__':
    main()
