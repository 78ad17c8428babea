"""Recordings of a browser's camera, which end in the middle of something."""

from __future__ import annotations

from pathlib import Path

import av

from repflow_mm.files import completed

# What Gradio calls a recording. It takes what the browser has written when "stop" is pressed, and not the rest.
STEM, SUFFIXES = 'sample', ('.webm', '.mp4')
WHOLE = 'recording.mkv'


def whole_recording(path: str | Path) -> str:
    """What of a recording is whole: its pictures in a file beside it, without a last one that is cut off.

    Videos are read strictly, so that a recording that is cut off would be refused as a damaged video is.

    Args:
        path (str | Path): What came from the browser.

    Returns:
        str: That file, or ``path`` if it is no recording, or nothing of it can be read.
    """
    path = Path(path)
    if path.stem != STEM or path.suffix not in SUFFIXES:
        return str(path)
    whole = path.with_name(WHOLE)
    if not whole.exists():
        try:
            with completed(whole) as temporary:
                _copy_pictures(path, temporary)
        except av.error.FFmpegError:
            return str(path)
    return str(whole)


def _copy_pictures(path: Path, out: Path) -> None:
    with av.open(str(path)) as source, av.open(str(out), 'w', format='matroska') as target:
        stream = source.streams.best('video')
        if stream is None:
            raise av.error.InvalidDataError(0, 'no pictures', str(path))
        copy = target.add_stream_from_template(stream)
        for packet in source.demux(stream):
            if packet.size and not packet.is_corrupt:
                packet.stream = copy
                target.mux(packet)
