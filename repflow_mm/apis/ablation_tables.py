"""Tables of a sweep's results: Markdown, CSV and a plot."""

from __future__ import annotations

import csv
import io
import os
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from repflow_mm.apis.ablation_runs import Run, current_commit
from repflow_mm.evaluation.fusion import check_same_samples, fuse, load_scores, top_k


class Row(NamedTuple):
    """A row of a table: its name, and one config or several whose scores are averaged (late fusion)."""

    name: str
    configs: tuple[Path, ...]


def row_accuracies(row: Row, seeds: Sequence[int], runs: Sequence[Run]) -> dict[int, float]:
    """Top-1 accuracy of a row for each seed whose runs are finished."""
    of = {(run.config, run.seed): run for run in runs}
    accuracies = {}
    for seed in seeds:
        parts = [of[config, seed] for config in row.configs]
        results = [part.result() for part in parts]
        if any(result is None for result in results):
            continue
        accuracies[seed] = results[0]['acc/top1'] if len(parts) == 1 else _fused_accuracy(parts)
    return accuracies


def _fused_accuracy(parts: Sequence[Run]) -> float:
    scores = {str(part.folder): load_scores(part.folder / 'scores.pkl') for part in parts}
    check_same_samples(scores)
    return top_k(fuse(list(scores.values())), next(iter(scores.values())).labels)


def protocol(run: Run) -> str:
    """Clips x crops, frames, size and data counts of a run's test, in a line."""
    dataset = run.cfg.test_dataloader.dataset
    steps = {step['type']: step for step in dataset.pipeline}
    sampler = steps['SampleFrames']
    crops = 3 if 'ThreeCrop' in steps else 10 if 'TenCrop' in steps else 1
    sizes = [steps[kind].crop_size for kind in ('CenterCrop', 'ThreeCrop', 'TenCrop') if kind in steps]
    size = f'{sizes[0]} pixels, ' if sizes else ''
    frames = f'{sampler.clip_len} frames at interval {sampler.get("frame_interval", 1)}'
    counts = f'{_count(run.cfg.train_dataloader.dataset.ann_file)} training, {_count(dataset.ann_file)} test clips'
    return f'{sampler.get("num_clips", 1)} × {crops} views, {frames}, {size}{counts}'


def _count(ann_file: str) -> int | str:
    path = Path(ann_file)
    return sum(1 for line in path.open() if line.strip()) if path.is_file() else 'unknown number of'


def write_table(name: str, rows: Sequence[Row], seeds: Sequence[int], runs: Sequence[Run], work_dir: Path) -> None:
    """Write ``<name>.md``, ``<name>.csv`` and ``<name>.png`` from the runs that are finished so far."""
    results = {row.name: row_accuracies(row, seeds, runs) for row in rows}
    of = {run.config: run for run in runs}
    notes = sorted({protocol(of[config]) for row in rows for config in row.configs})
    _write(work_dir / f'{name}.md', markdown(name, results, seeds, notes).encode())
    _write(work_dir / f'{name}.csv', _csv(results, seeds).encode())
    if any(results.values()):
        _write(work_dir / f'{name}.png', _plot(name, results))


def markdown(name: str, results: dict[str, dict[int, float]], seeds: Sequence[int], notes: Sequence[str]) -> str:
    """The table with mean ± standard deviation over the finished seeds, and the protocol below it."""
    lines = [f'| {name} | top-1, % | seeds |', '|---|---|---|']
    lines += [f'| {row} | {_mean_and_deviation(found.values())} | {len(found)} |' for row, found in results.items()]
    protocols = '; '.join(notes)
    return (
        '\n'.join((*lines, '', f'Seeds {", ".join(map(str, seeds))}; {protocols}; commit {current_commit()}.')) + '\n'
    )


def _mean_and_deviation(values) -> str:
    percent = [100 * value for value in values]
    if not percent:
        return '–'
    deviation = f' ± {statistics.stdev(percent):.1f}' if len(percent) > 1 else ''
    return f'{statistics.mean(percent):.1f}{deviation}'


def _csv(results: dict[str, dict[int, float]], seeds: Sequence[int]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator='\n')
    writer.writerow(['row', *(f'seed {seed}' for seed in seeds)])
    for row, found in results.items():
        writer.writerow([row, *(found.get(seed, '') for seed in seeds)])
    return text.getvalue()


def _plot(name: str, results: dict[str, dict[int, float]]) -> bytes:
    """PNG: a bar for each row's mean, a dot for each seed."""
    import matplotlib

    matplotlib.use('Agg')
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 0.8 + 0.4 * len(results)), layout='constrained')
    for position, found in enumerate(results.values()):
        percent = [100 * value for value in found.values()]
        if percent:
            axes.barh(position, statistics.mean(percent), color='tab:blue', alpha=0.5)
            axes.plot(percent, [position] * len(percent), 'k.', markersize=5)
    axes.set(yticks=range(len(results)), yticklabels=results, xlabel='top-1 accuracy, %', title=name, xlim=(0, 100))
    axes.invert_yaxis()
    picture = io.BytesIO()
    figure.savefig(picture, format='png', dpi=120)
    plt.close(figure)
    return picture.getvalue()


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + '.tmp')
    temporary.write_bytes(content)
    os.replace(temporary, path)
