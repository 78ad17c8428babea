"""Random videos of all formats, altered, damaged or none at all: each is reported, or its frames are the right ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from repflow_mm.chaos.parts import seed_of, tries_of
from repflow_mm.datasets.lists.check_videos import check_videos
from repflow_mm.datasets.video_reading import BadVideoError, open_video
from repflow_mm.testing.video_corpus import CorpusVideo, make_random_videos, picture_number
from repflow_mm.timed_parts.context import Context, Emit

WANTED = 1_000
BATCH = 20
# A video that takes longer counts as one that hangs.
MOST_SECONDS = 60
FRAMES_READ = 8


def run(emit: Emit, context: Context) -> None:
    """Make, check and read as many videos as are wanted, or as there is time for."""
    seed, seconds = seed_of(context), 0.0
    for start in range(0, tries_of(context, WANTED), BATCH):
        before = context.seconds_left()
        if before < 2 * seconds + 5:
            return
        folder = context.folder / 'videos' / f'{start:04d}'
        videos = make_random_videos(folder, BATCH, seed * WANTED + start)
        for video, why in zip(videos, wrong_results(folder, videos)):
            emit(kind=_kind(video), count=1, ok=not why, why=why and f'{start}/{video.path.name}: {why}')
        seconds = before - context.seconds_left()


def _kind(video: CorpusVideo) -> str:
    if video.is_good:
        return 'good, some of them odd: taken, with the right frames'
    return 'damaged, FFmpeg says nothing: read or reported' if video.is_silent else 'damaged: reported'


def wrong_results(folder: Path, videos: list[CorpusVideo]) -> list[str]:
    """For each video of a folder what is wrong in its check or its frames, '' if nothing is."""
    lines = [f'{video.path.name} 0' for video in videos]
    (folder / 'list.txt').write_text('\n'.join(lines) + '\n', encoding='utf-8')
    report = check_videos(folder / 'list.txt', folder, jobs=1, timeout=MOST_SECONDS)
    bad = {entry['path']: f'{entry["status"]}, {entry["message"]}' for entry in report['bad']}
    return [_wrong_result(video, bad.get(video.path.name, '')) for video in videos]


def _wrong_result(video: CorpusVideo, reported: str) -> str:
    if any(reported.startswith(status) for status in ('timeout', 'crash')):
        return reported
    if video.is_silent:
        return '' if reported else _unreadable(video)
    if not video.is_good:
        return '' if reported else f'{video.state}, {video.why}: not reported'
    if reported:
        return f'good, and reported as {reported}'
    return _wrong_frames(video)


def _unreadable(video: CorpusVideo) -> str:
    """Why a damaged video that passes for a good one cannot be read, '' if it can."""
    try:
        frames = sum(1 for _ in open_video(str(video.path)).frames())
    except BadVideoError as error:
        return f'not reported, and then {error}'
    return '' if frames else 'not reported, and without a frame'


def _wrong_frames(video: CorpusVideo) -> str:
    """Of a good video, how some random frames differ from what was written, '' if they do not."""
    indices = np.random.default_rng(len(video.numbers)).integers(0, len(video.numbers), FRAMES_READ).tolist()
    found = [picture_number(image) for image in open_video(str(video.path)).get_frames(indices)]
    expected = [video.numbers[index] for index in indices]
    return '' if found == expected else f'frames {indices} show {found} instead of {expected}'
