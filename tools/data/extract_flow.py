#!/usr/bin/env python3
"""Write the flow of a list's videos: ``tools/data/extract_flow.py --help``."""

from repflow_mm.apis.data.extract_flow import main

if __name__ == '__main__':
    main()
