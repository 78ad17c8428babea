"""Check of the videos of a list by decoding them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from repflow_mm.datasets.lists.list_check import check_entries
from repflow_mm.datasets.lists.list_files import check_inside, parse_frames, read_video_list
from repflow_mm.datasets.lists.list_runs import FRAME_STATUSES, STATUSES, check_run
from repflow_mm.datasets.video_reading import GOOD_STATUSES, check_part, check_video, chosen_decoder


def check_videos(
    list_file: str | Path,
    videos: str | Path = '',
    out: str | Path | None = None,
    jobs: int | None = None,
    timeout: float = 120.0,
    retry: bool = False,
    allow_outside: bool = False,
    decoder: str | None = None,
    delimiter: str | None = None,
    multi_class: bool = False,
    with_offset: bool = False,
) -> dict:
    """Decode every video of a list and write the list of those that are whole; the videos are only read.

    Writes, for ``<name>.txt``, ``<name>_clean.txt`` (the lines of the videos that decode, in their order),
    ``<name>_report.json`` and ``<name>_report.txt`` (what is wrong with the others), once all are checked. Each
    result is appended to ``<name>_checked.jsonl`` as it comes, so that a run that was stopped goes on where it was;
    a video whose size or time of change is another than in that journal, or that was checked with another decoder, is
    checked again.

    With ``with_offset`` that is so for each line: the frames of its part are decoded, whatever is wrong elsewhere in
    the video, and ``'short'`` are parts that end behind their video's last frame.

    Good videos are ``'ok'``, or ``'in_order'`` where every read has to decode from the start.

    Args:
        list_file (str | Path): The list, lines ``path label``.
        videos (str | Path): Folder that the paths are relative to. Defaults to the working folder.
        out (str | Path, optional): Folder to write to. Defaults to the list's.
        jobs (int, optional): Number of processes. Defaults to the number of usable cores.
        timeout (float): Seconds that one video may take. Defaults to 120.
        retry (bool): Check again what an earlier run found bad. Defaults to False.
        allow_outside (bool): Whether paths may lead out of the folder of videos. Defaults to False.
        decoder (str, optional): What training reads with, see
            :func:`repflow_mm.datasets.video_reading.chosen_decoder`. Defaults to None.
        delimiter (str, optional): What stands between path and label. Defaults to None, any blanks.
        multi_class (bool): Whether a line may have several labels. Defaults to False.
        with_offset (bool): Whether lines are parts of videos, each judged by itself. Defaults to False.

    Returns:
        dict: The report of :func:`repflow_mm.datasets.lists.list_runs.make_report`, and ``decoded_now``, the number of
        videos that this run decoded.

    Raises:
        FileNotFoundError: If the list or the folder does not exist.
        ValueError: If a line is malformed or leads out of the folder of videos, or ``jobs``, ``timeout`` or
            ``decoder`` is not allowed.
        OSError: If a file cannot be written or another run is checking the same list.
    """
    decoder = chosen_decoder(decoder)
    jobs = check_run(videos, jobs, timeout)
    entries = read_video_list(list_file, delimiter, several=multi_class, with_offset=with_offset)
    check_inside(list_file, [(entry.number, entry.path) for entry in entries], videos, allow_outside)
    key, work, statuses = 'path', partial(_check, decoder), STATUSES
    if with_offset:
        key, work, statuses = 'line', partial(_check_line, decoder, multi_class), FRAME_STATUSES
    settings = dict(decoder=decoder)
    return check_entries(
        list_file, entries, videos, out, key, work, settings, jobs, timeout, retry, GOOD_STATUSES, statuses
    )


def _check(decoder: str, video: tuple[str, str], alive: Callable[[], None]) -> dict:
    return check_video(video[1], decoder)


def _check_line(decoder: str, several: bool, line: tuple[str, str], alive: Callable[[], None]) -> dict:
    text, path = line
    entry = parse_frames(0, text, with_offset=True, several=several)
    return check_part(path, entry.offset, entry.total_frames, decoder)
