#!/usr/bin/env python3
"""Tell whether the flow solver works on this GPU, and how fast: ``tools/gpu_check.py [--out DIR] [--minutes 8]``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from repflow_mm.gpu_check.cli import main

if __name__ == '__main__':
    sys.exit(main())
