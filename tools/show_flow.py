#!/usr/bin/env python3
"""Show what flow layers see in a video, beside classical flow: ``tools/show_flow.py VIDEO [--config --checkpoint]``."""

from repflow_mm.apis.show_flow import main

if __name__ == '__main__':
    main()
