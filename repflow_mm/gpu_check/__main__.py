"""Makes ``python -m repflow_mm.gpu_check`` run the check."""

import sys

from repflow_mm.gpu_check.cli import main

if __name__ == '__main__':
    sys.exit(main())
