#!/usr/bin/env python3
"""Convert the authors' weights: ``tools/convert_released_weights.py WEIGHTS OUT [--config CONFIG]``."""

from repflow_mm.apis.convert import main

if __name__ == '__main__':
    main()
