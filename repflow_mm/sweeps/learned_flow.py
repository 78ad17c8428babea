"""Pictures of the flow that the networks of a sweep have learned, on clips that they are tested on."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from mmengine.logging import print_log
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

    Other classes, as many, take the place of those without a test clip, with a warning: the configs of a table may be
    run on another data set, and a picture at the end must not fail after days of training.

    Args:
        path (Path): The file.
        runs (dict[str, Run]): Finished runs, under the names of their rows; all test on the same clips.
        classes (Sequence[str]): Names of the classes, or their numbers where the data set has no names.

    Raises:
        ValueError: If a network has no flow layer.
    """
    first = next(iter(runs.values()))
    chosen = _first_clips(build_test_set(first.cfg), class_names_beside(_ann_file(first)), classes)
    seen = {row: _see(run, list(chosen.values())) for row, run in runs.items()}
    # The networks' pictures of a clip below each other.
    clips = [(f'{name} · {row}', seen[row][number]) for number, name in enumerate(chosen) for row in runs]
    write_png(path, flow_strips(clips))


def _ann_file(run: Run) -> str:
    return run.cfg.test_dataloader.dataset.ann_file


def _first_clips(dataset: Dataset, names: Sequence[str], classes: Sequence[str]) -> dict[str, int]:
    """The number of the first sample of each class, by the names of the classes that are shown."""
    labels = [dataset.get_data_info(index)['label'] for index in range(len(dataset))]
    first = {names[label] if label < len(names) else str(label): labels.index(label) for label in sorted(set(labels))}
    missing = [name for name in classes if name not in first]
    others = [name for name in first if name not in classes][: len(missing)]
    shown = [*(name for name in classes if name in first), *others]
    if missing:
        text = f'no test clip is of {", ".join(map(repr, missing))}: learned flow is shown of {", ".join(shown)}'
        print_log(text, logger='current', level=logging.WARNING)
    return {name: first[name] for name in shown}


def _see(run: Run, indices: Sequence[int]) -> list[ClipFlow]:
    """What the network of a run sees in samples of its test set, with its prediction."""
    recognizer, dataset = load_recognizer(run.cfg, run.folder / 'last.pth', 'cpu'), build_test_set(run.cfg)
    clips = []
    for index in indices:
        seen = see_sample(recognizer.model, dataset[index])
        tracks = [track for name, flow in seen.flows.items() for track in layer_tracks(name, flow, channels=())]
        clips.append(ClipFlow(seen.frames, tracks, scores=seen.top(1, recognizer.classes)))
    return clips
