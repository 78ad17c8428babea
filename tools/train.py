#!/usr/bin/env python3
"""Train a recognizer: ``tools/train.py CONFIG [--resume [auto|PATH]] [--amp] [--cfg-options KEY=VALUE ...]``."""

from repflow_mm.apis.train import main

if __name__ == '__main__':
    main()
