#!/usr/bin/env python3
"""Kill, damage and mislead what may be, and say what became of it: ``tools/chaos.py [--minutes 20] [--seed 0]``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from repflow_mm.chaos.cli import main

if __name__ == '__main__':
    sys.exit(main())
