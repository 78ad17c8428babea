"""Ways to keep the flow of a video on disk: size, reading time and what reading back gets wrong."""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from benchmarks.parts import Part
from repflow_mm.datasets.flow.frames import (
    FLOW_TEMPLATE,
    JPEG_QUALITY,
    dequantize_flow,
    quantize_flow,
    write_flow_file,
    write_flow_folder,
)
from repflow_mm.datasets.flow.video_flow import video_flow
from repflow_mm.datasets.transforms.flow import CheckedRawFrameDecode, FlowFileDecode
from repflow_mm.datasets.video_reading import BadVideoError
from repflow_mm.markdown import markdown_table

# A file takes whole blocks of a file system; bytes of one.
BLOCK = 4096
CLIP_LENGTH = 16
BOUND = 20.0
# A pixel counts as moving if its flow is at least this long, in pixels per frame.
MOVING = 0.5


@dataclass(frozen=True)
class Candidate:
    """``write(path, levels)`` keeps flows (2, H, W), uint8; ``read(path, total, start, stop)`` gives (H, W, 2) each."""

    write: Callable[[Path, Sequence[np.ndarray]], object]
    read: Callable[[Path, int, int, int], list[np.ndarray]]


def _decode(decode: Callable[[dict], dict], path: Path, total: int, start: int, stop: int) -> list[np.ndarray]:
    """Read flows with a pipeline's transform."""
    indices = np.arange(start, stop) + 1
    results = dict(frame_dir=str(path), filename_tmpl=FLOW_TEMPLATE, modality='Flow', start_index=1)
    return decode(dict(results, total_frames=total, frame_inds=indices))['imgs']


def _write_zip(suffix: str, path: Path, levels: Sequence[np.ndarray]) -> None:
    with zipfile.ZipFile(path, 'w') as file:
        for number, flow in enumerate(levels):
            image = flow.reshape(-1, flow.shape[2])  # (2, H, W) -> (2H, W)
            flags = (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY) if suffix == '.jpg' else ()
            file.writestr(f'{number}{suffix}', cv2.imencode(suffix, image, flags)[1].tobytes())


def _read_zip(suffix: str, path: Path, total: int, start: int, stop: int) -> list[np.ndarray]:
    with zipfile.ZipFile(path) as file:
        contents = [np.frombuffer(file.read(f'{number}{suffix}'), np.uint8) for number in range(start, stop)]
    images = [cv2.imdecode(content, cv2.IMREAD_GRAYSCALE) for content in contents]
    return [np.stack(np.split(image, 2), axis=-1) for image in images]  # (2H, W) -> (H, W, 2)


CANDIDATES = {
    'folder of JPEGs (`--format jpg`)': Candidate(write_flow_folder, partial(_decode, CheckedRawFrameDecode())),
    'zip of JPEGs': Candidate(partial(_write_zip, '.jpg'), partial(_read_zip, '.jpg')),
    'zip of PNGs': Candidate(partial(_write_zip, '.png'), partial(_read_zip, '.png')),
    'mp4 (`--format mp4`)': Candidate(write_flow_file, partial(_decode, FlowFileDecode())),
}


def measure_formats(videos: Sequence[str | Path], short_side: int | None, repeats: int) -> list[dict]:
    """Write the flow of some videos in every way, read clips of 16 flows at random places, and compare.

    Args:
        videos (Sequence[str | Path]): The videos.
        short_side (int, optional): Pixels of the shorter side of their frames; None for their own.
        repeats (int): Clips that are read of each video, from the file system's cache.

    Returns:
        list[dict]: For each way its ``name``, ``videos``, ``flows``, ``files`` and ``bytes`` of all videos (in blocks
        of 4096), ``clip_seconds`` (median), ``error`` (mean distance of a component from the flow that was computed,
        in pixels) and ``moving_error_99`` (its 99th percentile where the flow is longer than half a pixel).

    Raises:
        ValueError: If a video cannot be used.
    """
    flows = [_flow(video, short_side) for video in videos]
    return [_measure(name, candidate, flows, repeats) for name, candidate in CANDIDATES.items()]


def _flow(video: str | Path, short_side: int | None) -> np.ndarray:
    """The flow of a video, (T - 1, 2, H, W)."""
    try:
        return np.concatenate(list(video_flow(str(video), short_side)))
    except BadVideoError as bad:
        raise ValueError(f'{video}: {bad.message}') from None


def _measure(name: str, candidate: Candidate, flows: Sequence[np.ndarray], repeats: int) -> dict:
    rng = np.random.default_rng(0)
    seconds, errors, moving, files, size = [], [], [], 0, 0
    with tempfile.TemporaryDirectory() as folder:
        for number, u in enumerate(flows):
            path = Path(folder) / f'{number}.mp4'  # VideoWriter goes by the suffix, nothing else does
            candidate.write(path, quantize_flow(u, BOUND))
            parts = [part for part in (path, *path.rglob('*')) if part.is_file()]
            files, size = files + len(parts), size + sum(-(-part.stat().st_size // BLOCK) * BLOCK for part in parts)
            read = np.stack(candidate.read(path, len(u), 0, len(u)))[:, :, : u.shape[3]]
            error = abs(dequantize_flow(read.transpose(0, 3, 1, 2), BOUND) - u)  # (T - 1, H, W, 2) -> (T - 1, 2, H, W)
            errors.append(error)
            moving.append(error[np.broadcast_to(np.linalg.norm(u, axis=1, keepdims=True) > MOVING, u.shape)])
            seconds += [_clip_seconds(candidate, path, len(u), rng) for _ in range(repeats)]
    moving = np.concatenate(moving)
    return dict(
        name=name,
        videos=len(flows),
        flows=sum(map(len, flows)),
        files=files,
        bytes=size,
        clip_seconds=statistics.median(seconds),
        error=float(np.mean([error.mean() for error in errors])),
        moving_error_99=float(np.percentile(moving, 99)) if len(moving) else None,
    )


def _clip_seconds(candidate: Candidate, path: Path, total: int, rng: np.random.Generator) -> float:
    start = int(rng.integers(max(total - CLIP_LENGTH, 0) + 1))
    begin = time.perf_counter()
    candidate.read(path, total, start, min(start + CLIP_LENGTH, total))
    return time.perf_counter() - begin


def formats_table(results: Sequence[dict]) -> str:
    """One line for each way to keep flow; the first is what the others are compared with."""
    header = (
        'flow kept as',
        'files a video',
        'KB a flow',
        'smaller',
        'clip of 16, ms',
        'error, px',
        'moving, 99 %, px',
    )
    rows = [
        (
            row['name'],
            f'{row["files"] / row["videos"]:.0f}',
            f'{row["bytes"] / row["flows"] / 1024:.2f}',
            f'{results[0]["bytes"] / row["bytes"]:.1f}×',
            f'{row["clip_seconds"] * 1000:.1f}',
            f'{row["error"]:.3f}',
            '–' if row['moving_error_99'] is None else f'{row["moving_error_99"]:.3f}',
        )
        for row in results
    ]
    return markdown_table(header, rows)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the part."""
    parser.add_argument('--videos', nargs='+', type=Path, required=True, help='video files')
    parser.add_argument('--short-side', type=int, default=128, help='shorter side of their frames (default: 128)')


def run(args: argparse.Namespace) -> tuple[list[dict], str]:
    """Compare the ways on the videos that are given."""
    results = measure_formats(args.videos, args.short_side, args.repeats)
    return results, formats_table(results)


PARTS = {'flow_formats': Part('ways to keep flow on disk: size, reading time, error', add_arguments, run)}
