"""Extraction of the classical flow of all videos of a list."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np
import torch

from repflow_mm.classical_flow.methods import make_parameters, method_named
from repflow_mm.classical_flow.stream import check_bound
from repflow_mm.datasets.flow.frames import FORMATS, JPEG_QUALITY, quantize_flow
from repflow_mm.datasets.flow.video_flow import video_flow
from repflow_mm.datasets.lists.list_files import FrameEntry, ListEntry, check_inside, read_list
from repflow_mm.datasets.lists.list_runs import (
    STATUSES,
    Journal,
    check_run,
    full_path,
    has_changed,
    make_report,
    opened_journal,
    update_journal,
    write_report,
)
from repflow_mm.datasets.lists.worker_pool import Work
from repflow_mm.datasets.video_reading import BadVideoError, chosen_decoder
from repflow_mm.files import claim_folder, locked, write_json, write_text
from repflow_mm.flow_names import flow_name
from repflow_mm.ops.arguments import check_count

PARAMETERS_FILE = 'flow.json'
JOURNAL_FILE = '.extracted.jsonl'
UNFINISHED_FOLDER = '.unfinished'
LOCK_FILE = '.lock'
# Ends of the names of what is written for a list.
LIST_SUFFIXES = ('.txt', '_report.json')
FLOW_STATUSES = (*STATUSES, 'short', 'small', 'refused')
ENCODING = 'uint8 = round((clip(u, -bound, bound) + bound) / (2 * bound) * 255), u in pixels'
# Goes into flow.json; to be raised whenever the same options no longer give the same files.
EXTRACTOR_VERSION = 1


@dataclass(frozen=True)
class FlowOptions:
    """What the flow files of one folder are made with.

    Args:
        bound (float): Largest displacement that is kept, in pixels of the resized frames. A step between levels is
            ``2 * bound / 255``. Defaults to 20.
        short_side (int, optional): Pixels of the shorter side that frames are resized to before the flow. Defaults
            to None, the videos' own size.
        format (str): ``'jpg'``, a folder of images a video, or ``'mp4'``, a file a video; see
            :mod:`repflow_mm.datasets.flow.frames`. Defaults to ``'jpg'``.
        method (str): ``'tvl1'``, ``'brox'``, ``'farneback'`` or ``'dis'``. Defaults to ``'tvl1'``.
        parameters (object, optional): The method's parameters, an instance of their class in
            :data:`repflow_mm.classical_flow.METHODS`. Defaults to None, their defaults.

    Raises:
        TypeError: If a number is of the wrong type.
        ValueError: If a value is out of range.
    """

    bound: float = 20.0
    short_side: int | None = None
    format: str = 'jpg'
    method: str = 'tvl1'
    parameters: object = None

    def __post_init__(self):
        check_bound(self.bound)
        if self.short_side is not None:
            check_count('short_side', self.short_side, smallest=2)
        if self.format not in FORMATS:
            raise ValueError(f'format must be one of {tuple(FORMATS)}, got {self.format!r}')
        kind = method_named(self.method).parameters
        if self.parameters is None:
            object.__setattr__(self, 'parameters', make_parameters(self.method))
        elif type(self.parameters) is not kind:
            raise TypeError(
                f'parameters of {self.method!r} must be {kind.__name__}, got {type(self.parameters).__name__}'
            )

    def record(self) -> dict:
        """All that the files depend on besides the videos."""
        quality = JPEG_QUALITY if self.format == 'jpg' else None
        options = dict(bound=self.bound, short_side=self.short_side, format=self.format, jpeg_quality=quality)
        method = dict(method=self.method, **asdict(self.parameters))
        return dict(extractor_version=EXTRACTOR_VERSION, encoding=ENCODING, **options, **method)


def extract_flow(
    list_file: str | Path,
    out: str | Path,
    videos: str | Path = '',
    options: FlowOptions | None = None,
    jobs: int | None = None,
    batch: int = 16,
    device: str = 'cpu',
    timeout: float = 120.0,
    retry: bool = False,
    allow_outside: bool = False,
    decoder: str | None = None,
    multi_class: bool = False,
) -> dict:
    """Write the flow of every video of a list in a form that MMAction2's ``RawframeDataset`` reads.

    T frames give T - 1 flows. Layout of ``out``, for a list ``<name>.txt``: each video's flow under its path without
    suffix (blanks become ``_``; with ``.mp4`` behind it in that format); ``<name>.txt``, lines ``frame_dir
    total_frames label`` of the videos that have flow, for ``data_prefix=dict(img=out)``; ``<name>_report.json`` and
    ``<name>_report.txt``, which say what is wrong with the others; ``flow.json``, the options. Several lists may
    share a folder.

    A video's flow appears under its name only when all of it is there, the list and the reports once all videos
    are done. Each result goes into ``.extracted.jsonl`` as it comes, so that a run that was stopped goes on where it
    was; a video whose size or time of change is another than in that journal is done again. Lines that
    :func:`name_flow_of_list` refuses are reported with the others.

    Args:
        list_file (str | Path): The list, lines ``path label``, or ``path label label ...`` with ``multi_class``.
        out (str | Path): Folder to write to; it is made if it does not exist.
        videos (str | Path): Folder that the paths are relative to. Defaults to the working folder.
        options (FlowOptions, optional): What the files are made with. Defaults to its defaults.
        jobs (int, optional): Number of processes, one thread each. Defaults to the number of usable cores, and to 1
            on another device than the CPU, which they share.
        batch (int): Pairs of frames whose flow is computed at a time. Defaults to 16.
        device (str): ``'cpu'``, ``'cuda'`` or ``'cuda:<index>'``. Defaults to ``'cpu'``.
        timeout (float): Seconds that a batch of a video may take. Defaults to 120.
        retry (bool): Try again what an earlier run failed on. Defaults to False.
        allow_outside (bool): Whether paths may lead out of the folder of videos; such a video's flow lies under its
            whole path in ``out``. Defaults to False.
        decoder (str, optional): See :func:`repflow_mm.datasets.video_reading.chosen_decoder`. Defaults to None.
        multi_class (bool): Whether a line may have several labels. Defaults to False.

    Returns:
        dict: The report of :func:`repflow_mm.datasets.lists.list_runs.make_report`, whose ``frames`` are the
        videos', and ``extracted_now``, the number of videos that this run worked on.

    Raises:
        FileNotFoundError: If the list or the folder of videos does not exist.
        ValueError: If a line is malformed or leads out of the folder of videos, the folder holds something else or
            flow of other options or videos, or an argument is not allowed.
        OSError: If a file cannot be written, as on a full disk, or another run is writing to the folder.
    """
    options = options or FlowOptions()
    check_count('batch', batch)
    _check_device(device)
    decoder = chosen_decoder(decoder)
    jobs = check_run(videos, 1 if jobs is None and device != 'cpu' else jobs, timeout)
    entries = read_list(list_file, several=multi_class)
    names, refused = name_flow_of_list(list_file, videos, entries, options.format, allow_outside)
    paths = {names[entry.number]: full_path(videos, entry) for entry in entries if entry.number in names}
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    with _full_disk_explained(out), _claimed_folder(out, options):
        work = partial(_extract, out, options, batch, device, decoder)
        found, extracted_now = _extract_all(out, paths, work, jobs, timeout, retry)
        results = [
            _refusal(refused[entry.number]) if entry.number in refused else found[names[entry.number]]
            for entry in entries
        ]
        report = _write_lists(list_file, out, videos, entries, names, results)
    return {**report, 'extracted_now': extracted_now}


@contextmanager
def _claimed_folder(out: Path, options: FlowOptions) -> Iterator[None]:
    """The folder for this run alone, with flow of these options alone."""
    with locked(out):
        _name_method(out / PARAMETERS_FILE)
        claim_folder(out, PARAMETERS_FILE, options.record(), 'flow')
        yield


def _extract_all(
    out: Path, paths: Mapping[str, str], work: Work, jobs: int, timeout: float, retry: bool
) -> tuple[dict[str, dict], int]:
    """Write the flow that is not there yet; returns all results by name, and the number of videos worked on."""
    with _unfinished_folder(out), opened_journal(out / JOURNAL_FILE, key='name') as journal:
        _check_sources(out, journal, paths)
        is_current = partial(_is_current, out, journal, paths, retry)
        extracted_now = update_journal(journal, paths, is_current, work, jobs, timeout)
    return journal.results, extracted_now


def _refusal(reason: str) -> dict:
    return dict(status='refused', message=reason, frames=0)


def _write_lists(
    list_file: str | Path,
    out: Path,
    videos: str | Path,
    entries: Sequence[ListEntry],
    names: Mapping[int, str],
    results: Sequence[dict],
) -> dict:
    """Write the report of a list and the list of the flow; returns the report."""
    report = make_report(list_file, videos, entries, results, FLOW_STATUSES)
    stem = Path(list_file).stem
    write_report(report, out / stem)
    write_text(out / f'{stem}.txt', _list_lines(names, entries, results))
    return report


def name_flow_of_list(
    list_file: str | Path, videos: str | Path, entries: Sequence[ListEntry], format: str, allow_outside: bool = False
) -> tuple[dict[int, str], dict[int, str]]:
    """What each video's flow is called: its path below ``videos`` without suffix or blanks, with the format's suffix.

    With ``allow_outside``, a video outside of ``videos`` is called by its path from the root.

    Returns:
        tuple[dict[int, str], dict[int, str]]: The names by the numbers of their lines; and, of lines that are refused,
        the reasons: a path that is the folder itself, the name of an earlier line's other video, one in the folder of
        another video's flow, or one of the folder's own files.

    Raises:
        ValueError: If a video lies outside ``videos``.
    """
    folder = os.path.abspath(videos)
    names, refused, owners = {}, {}, {}
    for entry in entries:
        path = PurePosixPath(full_path(videos, entry))
        if str(path) == folder:
            refused[entry.number] = f'{entry.path!r} is the folder {videos or "."} itself'
            continue
        check_inside(list_file, [(entry.number, entry.path)], videos, allow_outside)
        relative = path.relative_to(folder if path.is_relative_to(folder) else path.anchor)
        name = flow_name(str(relative.with_suffix(''))) + FORMATS[format].suffix
        owner = owners.setdefault(name, entry)
        if full_path(videos, owner) != str(path):
            refused[entry.number] = f'its flow would be {name!r}, as that of line {owner.number}, {owner.path!r}'
        elif _is_reserved(name):
            refused[entry.number] = f'its flow would be {name!r}, a name that the folder of flow needs itself'
        else:
            names[entry.number] = name
    for number, name in list(names.items()):
        outer = next((owners[str(folder)] for folder in PurePosixPath(name).parents if str(folder) in owners), None)
        if outer is not None:
            refused[number] = f'its flow would lie in that of line {outer.number}, {outer.path!r}'
            del names[number]
    return names, refused


def _is_reserved(name: str) -> bool:
    """Whether flow of this name would stand in the way of the lists, reports and records of a folder of flow."""
    first = name.partition('/')[0]
    return first in (PARAMETERS_FILE, JOURNAL_FILE, UNFINISHED_FOLDER, LOCK_FILE) or first.endswith(LIST_SUFFIXES)


def _name_method(file: Path) -> None:
    """Add the method to a folder's options that do not name it: there was one alone when they were written."""
    if not file.exists():
        return
    try:
        record = json.loads(file.read_text())
    except ValueError:
        return  # said by whoever claims the folder
    if isinstance(record, dict) and 'method' not in record:
        write_json(file, {**record, 'method': 'tvl1'})


def _check_device(device: str) -> None:
    try:
        kind = torch.device(device).type
    except RuntimeError:
        kind = None
    if kind not in ('cpu', 'cuda'):
        raise ValueError(f"device must be 'cpu', 'cuda' or 'cuda:<index>', got {device!r}")
    if kind == 'cuda' and not torch.cuda.is_available():
        raise ValueError(f'device is {device!r}, but torch finds no CUDA device')


@contextmanager
def _full_disk_explained(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise OSError(
            error.errno,
            f'no space is left to write to {out}; every flow there is whole, and the same command goes on from here',
        ) from error


@contextmanager
def _unfinished_folder(out: Path) -> Iterator[None]:
    """Have a place for what is not complete, with nothing in it that a killed run left."""
    folder = out / UNFINISHED_FOLDER
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(exist_ok=True)
    try:
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _check_sources(out: Path, journal: Journal, paths: Mapping[str, str]) -> None:
    """Raise ValueError if the folder has flow of another video under a name."""
    for name, path in paths.items():
        known = journal.results.get(name)
        if known is None or known['path'] == path or not (out / name).exists():
            continue
        if not os.path.exists(path) or os.path.getsize(path) != known['size']:
            raise ValueError(f'{out / name} is the flow of {known["path"]}, not of {path}; take another folder')


def _is_current(out: Path, journal: Journal, paths: Mapping[str, str], retry: bool, name: str) -> bool:
    result, path = journal.results[name], paths[name]
    if result['status'] == 'ok':
        # Flow whose video has been deleted since is as good as ever.
        return (out / name).exists() and not (os.path.exists(path) and has_changed(result, path))
    return not retry and not has_changed(result, path)


def _list_lines(names: Mapping[int, str], entries: Sequence[ListEntry], results: Sequence[dict]) -> list[str]:
    """Lines ``frame_dir total_frames label`` of the videos that have flow."""
    return [
        FrameEntry(entry.number, names[entry.number], entry.label, total_frames=result['frames'] - 1).line
        for entry, result in zip(entries, results)
        if result['status'] == 'ok'
    ]


def _extract(
    out: Path,
    options: FlowOptions,
    batch: int,
    device: str,
    decoder: str,
    video: tuple[str, str],
    alive: Callable[[], None],
) -> dict:
    """Write the flow of a video, given by its flow's name and its path; returns its result."""
    name, path = video
    format = FORMATS[options.format]
    unfinished = out / UNFINISHED_FOLDER / f'{os.getpid()}{format.suffix}'
    try:
        flows = format.write(unfinished, _levels(path, options, batch, device, decoder, alive))
    except BadVideoError as bad:
        return dict(status=bad.status, message=bad.message)
    else:
        _publish(unfinished, out / name)
    finally:
        _remove(unfinished)
    return dict(status='ok', frames=flows + 1, message='')


def _levels(
    path: str, options: FlowOptions, batch: int, device: str, decoder: str, alive: Callable[[], None]
) -> Iterator[np.ndarray]:
    """The quantised flow of a video's every frame to the next: (2, H, W), uint8."""
    for u in video_flow(path, options.short_side, options.method, options.parameters, batch, device, decoder):
        alive()
        yield from quantize_flow(u, options.bound)


def _publish(unfinished: Path, target: Path) -> None:
    """Give what is complete its name, in place of an older one."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.is_dir():
        # Away at once: a folder that is deleted file by file could be taken for a whole one.
        os.rename(target, unfinished.with_name(f'{unfinished.name}.old'))
    os.replace(unfinished, target)
    _remove(unfinished.with_name(f'{unfinished.name}.old'))


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
