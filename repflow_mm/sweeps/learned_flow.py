"""Pictures of the flow that the networks of a sweep have learned, on clips that they are tested on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from torch.utils.data import Dataset

from repflow_mm.apis.recognizer import load_recognizer
from repflow_mm.apis.scope import build_test_set
from repflow_mm.datasets.lists.class_names import class_names_beside
from repflow_mm.sweeps.runs import Run
from repflow_mm.visualization.clip_flow import ClipFlow, layer_tracks
from repflow_mm.visualization.flow_files import write_png
from repflow_mm.visualization.recognizer_flow import see_sample
from repflow_mm.visualization.strips import flow_strips


def write_learned_flow(path: Path, runs: dict[str, Run], classes: Sequence[str]) -> None:
    """Write a PNG of what the flow layers of trained networks see in the first test clip of some classes.

    Args:
        path (Path): The file.
        runs (dict[str, Run]): Finished runs, under the names of their rows; all test on the same clips.
        classes (Sequence[str]): Names of the classes.

    Raises:
        ValueError: If the data set has no such class, or no test clip of it, or a network has no flow layer.
    """
    first = next(iter(runs.values()))
    indices = _first_clips(build_test_set(first.cfg), class_names_beside(_ann_file(first)), classes)
    seen = {row: _see(run, indices) for row, run in runs.items()}
    # The networks' pictures of a clip below each other.
    clips = [(f'{name} · {row}', seen[row][number]) for number, name in enumerate(classes) for row in runs]
    write_png(path, flow_strips(clips))


def _ann_file(run: Run) -> str:
    return run.cfg.test_dataloader.dataset.ann_file


def _first_clips(dataset: Dataset, names: Sequence[str], classes: Sequence[str]) -> list[int]:
    """Numbers of the first sample of each class."""
    unknown = [name for name in classes if name not in names]
    if unknown:
        raise ValueError(f'classes must be any of {list(names)}, got {unknown[0]!r}')
    labels = [dataset.get_data_info(index)['label'] for index in range(len(dataset))]
    missing = [name for name in classes if names.index(name) not in labels]
    if missing:
        raise ValueError(f'no test clip is of class {missing[0]!r}')
    return [labels.index(names.index(name)) for name in classes]


def _see(run: Run, indices: Sequence[int]) -> list[ClipFlow]:
    """What the network of a run sees in samples of its test set, with its prediction."""
    recognizer, dataset = load_recognizer(run.cfg, run.folder / 'last.pth', 'cpu'), build_test_set(run.cfg)
    clips = []
    for index in indices:
        seen = see_sample(recognizer.model, dataset[index])
        tracks = [track for name, flow in seen.flows.items() for track in layer_tracks(name, flow, channels=())]
        clips.append(ClipFlow(seen.frames, tracks, scores=seen.top(1, recognizer.classes)))
    return clips
