#!/usr/bin/env python3
"""Test a recognizer: ``tools/test.py CONFIG CHECKPOINT [--dump FILE.pkl] [--cfg-options KEY=VALUE ...]``."""

from repflow_mm.apis.test import main

if __name__ == '__main__':
    main()
