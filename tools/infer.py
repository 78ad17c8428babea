#!/usr/bin/env python3
"""Say what videos or a camera show: ``tools/infer.py VIDEO|FOLDER|LIST|CAMERA CONFIG CHECKPOINT [--slide] ...``."""

import sys

from repflow_mm.apis.infer import main

if __name__ == '__main__':
    sys.exit(1 if main() else 0)
