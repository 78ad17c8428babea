"""What the app takes of videos that come from a browser."""

from __future__ import annotations

from pathlib import Path

import av

MOST_BYTES = 64 * 2**20
MOST_FRAMES = 1800
LONGEST_SIDE = 4096


def check_video(path: str | Path) -> None:
    """Check a video before any of it is decoded.

    Raises:
        FileNotFoundError: If it does not exist.
        ValueError: If it is too large or too long, or no video.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'video {path.name} does not exist')
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise ValueError(f'{path.name} has {size} bytes; the app takes {MOST_BYTES} at most')
    try:
        with av.open(str(path)) as container:
            _check_stream(path.name, container)
    except av.error.FFmpegError as error:
        raise ValueError(f'{path.name} is no video that can be read: {error.strerror}') from error


def _check_stream(name: str, container: av.container.InputContainer) -> None:
    if not container.streams.video:
        raise ValueError(f'{name} has no pictures')
    stream = container.streams.video[0]
    if max(stream.width, stream.height) > LONGEST_SIDE:
        raise ValueError(
            f'{name} has pictures of {stream.width}x{stream.height}; the app takes sides of {LONGEST_SIDE} at most'
        )
    # What the file says of its length may be wrong or missing, as in recordings of a browser.
    for count, packet in enumerate(container.demux(stream)):
        if count > MOST_FRAMES and packet.size:
            raise ValueError(f'{name} has more than {MOST_FRAMES} frames, which is the most that the app takes')
