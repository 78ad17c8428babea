#!/usr/bin/env python3
"""Say what a config costs and what holds its training up: ``tools/profile_model.py CONFIG [--cfg-options ...]``."""

from repflow_mm.apis.profile_model import main

if __name__ == '__main__':
    main()
