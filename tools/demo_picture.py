#!/usr/bin/env python3
"""Draw what the demo's network sees: ``tools/demo_picture.py CONFIG CHECKPOINT [--out FILE]``."""

from repflow_mm.apis.demo_picture import main

if __name__ == '__main__':
    main()
