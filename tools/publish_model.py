#!/usr/bin/env python3
"""Publish a checkpoint: ``tools/publish_model.py CHECKPOINT [--out FOLDER] [--config CONFIG]``."""

from repflow_mm.apis.publish import main

if __name__ == '__main__':
    main()
