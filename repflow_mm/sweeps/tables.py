"""Tables of a sweep's results: Markdown, CSV and a plot."""

from __future__ import annotations

import csv
import io
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from repflow_mm.evaluation.fusion import check_same_samples, fuse, load_scores, top_k
from repflow_mm.files import completed, write_text
from repflow_mm.markdown import markdown_table
from repflow_mm.sweeps.runs import Run, current_commit


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


def write_table(
    name: str,
    rows: Sequence[Row],
    seeds: Sequence[int],
    runs: Sequence[Run],
    work_dir: Path,
    seconds: dict[Path, float] | None = None,
) -> None:
    """Write ``<name>.md``, ``<name>.csv`` and ``<name>.png`` from the runs that are finished so far.

    Args:
        name (str): The table's name.
        rows (Sequence[Row]): Its rows.
        seeds (Sequence[int]): The seeds.
        runs (Sequence[Run]): Runs of every config with every seed.
        work_dir (Path): Folder to write to.
        seconds (dict[Path, float], optional): What each config takes for a video, for a column of run times, in which a
            late-fusion row has the sum of its configs'. Defaults to None, no such column.
    """
    results = {row.name: row_accuracies(row, seeds, runs) for row in rows}
    times = {row.name: sum(seconds[config] for config in row.configs) for row in rows} if seconds else None
    used = [run for run in runs if any(run.config in row.configs for row in rows)]
    work_dir.mkdir(parents=True, exist_ok=True)
    write_text(work_dir / f'{name}.md', markdown(name, results, times, _notes(seeds, used)).splitlines())
    write_text(work_dir / f'{name}.csv', _csv(results, seeds, times).splitlines())
    if any(results.values()):
        _write_plot(work_dir / f'{name}.png', name, results)


def _notes(seeds: Sequence[int], runs: Sequence[Run]) -> str:
    """Seeds, protocol and the commits that finished runs were made at, in a line."""
    finished = filter(None, (run.result() for run in runs))
    commits = sorted({result['commit'] for result in finished}) or [current_commit()]
    # One run of each config: a protocol reads the whole lists, and seeds share it.
    protocols = sorted({protocol(run) for run in {run.config: run for run in runs}.values()})
    return f'Seeds {", ".join(map(str, seeds))}; {"; ".join(protocols)}; commit {", ".join(commits)}.'


def markdown(name: str, results: dict[str, dict[int, float]], times: dict[str, float] | None, notes: str) -> str:
    """The table with mean ± standard deviation over the finished seeds, run times if given, and notes below it."""
    titles = [name, 'top-1, %', 'seeds', *(['ms a video'] if times else [])]
    lines = []
    for row, found in results.items():
        cells = [row, _mean_and_deviation(found.values()), str(len(found))]
        lines.append(cells + ([f'{1e3 * times[row]:.1f}'] if times else []))
    return f'{markdown_table(titles, lines)}\n\n{notes}\n'


def _mean_and_deviation(values) -> str:
    percent = [100 * value for value in values]
    if not percent:
        return '–'
    deviation = f' ± {statistics.stdev(percent):.1f}' if len(percent) > 1 else ''
    return f'{statistics.mean(percent):.1f}{deviation}'


def _csv(results: dict[str, dict[int, float]], seeds: Sequence[int], times: dict[str, float] | None) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator='\n')
    writer.writerow(['row', *(f'seed {seed}' for seed in seeds), *(['seconds a video'] if times else [])])
    for row, found in results.items():
        writer.writerow([row, *(found.get(seed, '') for seed in seeds), *([times[row]] if times else [])])
    return text.getvalue()


def _write_plot(path: Path, name: str, results: dict[str, dict[int, float]]) -> None:
    """Write a PNG: a bar for each row's mean, a dot for each seed."""
    import matplotlib

    matplotlib.use('Agg')
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 0.8 + 0.4 * len(results)), layout='constrained')
    for position, found in enumerate(results.values()):
        percent = [100 * value for value in found.values()]
        if percent:
            axes.barh(position, statistics.mean(percent), color='tab:blue', alpha=0.5)
            axes.plot(percent, [position] * len(percent), 'k.', markersize=5)
    axes.set(yticks=range(len(results)), yticklabels=results, ylim=(len(results) - 0.5, -0.5))
    axes.set(xlabel='top-1 accuracy, %', title=name, xlim=(0, 100))
    with completed(path) as temporary:
        figure.savefig(temporary, dpi=120)
    plt.close(figure)
