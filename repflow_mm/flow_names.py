"""What the flow of a video is called on disk, for those who write it and those who match it with its video."""

from __future__ import annotations

import re

# Behind the name of flow that is kept in one file, in place of the video's own suffix.
FLOW_FILE_SUFFIX = '.mp4'


def flow_name(stem: str) -> str:
    """The name for the flow of a video whose path without suffix is ``stem``: blanks become ``_``.

    MMAction2's RawframeDataset splits its lines at blanks.
    """
    return re.sub(r'\s', '_', stem)
