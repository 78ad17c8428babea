#!/usr/bin/env python3
"""Export a recognizer and check it: ``tools/export.py CONFIG CHECKPOINT [--format onnx|pt2|torchscript]``."""

import sys

from repflow_mm.apis.export import main

if __name__ == '__main__':
    sys.exit(main())
