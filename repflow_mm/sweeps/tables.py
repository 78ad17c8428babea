"""Tables of a sweep's results: Markdown, CSV and a plot."""

from __future__ import annotations

import csv
import io
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path

from repflow_mm.evaluation.fusion import check_same_samples, fuse, load_scores, top_k
from repflow_mm.files import completed, write_text
from repflow_mm.markdown import markdown_table
from repflow_mm.sweeps.code_version import code_version
from repflow_mm.sweeps.rows import Row
from repflow_mm.sweeps.runs import Run

Accuracies = dict[tuple[int, 'int | None'], float]


def row_accuracies(row: Row, runs: Sequence[Run]) -> Accuracies:
    """Top-1 accuracy of a row, by seed and split, where all of its runs are finished."""
    of = {(run.network.name, run.seed, run.split): run for run in runs}
    accuracies = {}
    for seed, split in dict.fromkeys((run.seed, run.split) for run in runs):
        parts = [of[network.name, seed, split] for network in row.networks]
        results = [part.result() for part in parts]
        if all(result is not None for result in results):
            accuracies[seed, split] = results[0]['acc/top1'] if len(parts) == 1 else _fused_accuracy(parts)
    return accuracies


def _fused_accuracy(parts: Sequence[Run]) -> float:
    scores = {str(part.folder): load_scores(part.folder / 'scores.pkl') for part in parts}
    check_same_samples(scores)
    return top_k(fuse(list(scores.values())), next(iter(scores.values())).labels)


def mean_over_splits(found: Accuracies, splits: Sequence[int | None]) -> dict[int, float]:
    """Mean accuracy over the splits, for each seed that has all of them."""
    seeds = dict.fromkeys(seed for seed, _ in found)
    whole = [seed for seed in seeds if all((seed, split) in found for split in splits)]
    return {seed: statistics.mean(found[seed, split] for split in splits) for seed in whole}


def protocol(run: Run) -> str:
    """Clips x crops, frames, size and data counts of a run's test, in a line."""
    dataset = run.cfg.test_dataloader.dataset
    steps = {step['type']: step for step in dataset.pipeline}
    sampler = steps.get('SampleFrames') or steps['UniformSample']
    crops = 3 if 'ThreeCrop' in steps else 10 if 'TenCrop' in steps else 1
    sizes = [steps[kind].crop_size for kind in ('CenterCrop', 'ThreeCrop', 'TenCrop') if kind in steps]
    size = f'{sizes[0]} pixels, ' if sizes else ''
    spread = (
        'over the whole clip' if sampler.type == 'UniformSample' else f'at interval {sampler.get("frame_interval", 1)}'
    )
    counts = f'{_count(run.cfg.train_dataloader.dataset.ann_file)} training, {_count(dataset.ann_file)} test clips'
    return f'{sampler.get("num_clips", 1)} × {crops} views, {sampler.clip_len} frames {spread}, {size}{counts}'


def _count(ann_file: str) -> int | str:
    path = Path(ann_file)
    return sum(1 for line in path.open() if line.strip()) if path.is_file() else 'unknown number of'


def write_table(
    name: str,
    rows: Sequence[Row],
    runs: Sequence[Run],
    work_dir: Path,
    seconds: dict[str, float] | None = None,
) -> None:
    """Write ``<name>.md``, ``<name>.csv`` and ``<name>.png`` from the runs that are finished so far.

    Args:
        name (str): The table's name.
        rows (Sequence[Row]): Its rows.
        runs (Sequence[Run]): Runs of every network with every seed, and of every split if there are splits.
        work_dir (Path): Folder to write to.
        seconds (dict[str, float], optional): What each network takes for a video, by its name, for a column of run
            times, in which a late-fusion row has the sum of its networks'. Defaults to None, no such column.
    """
    results = {row.name: row_accuracies(row, runs) for row in rows}
    times = {row.name: sum(seconds[network.name] for network in row.networks) for row in rows} if seconds else None
    used = [run for run in runs if any(run.network in row.networks for row in rows)]
    splits = list(dict.fromkeys(run.split for run in runs))
    work_dir.mkdir(parents=True, exist_ok=True)
    write_text(work_dir / f'{name}.md', markdown(name, results, splits, times, _notes(used)).splitlines())
    write_text(work_dir / f'{name}.csv', _csv(results, runs, times).splitlines())
    if any(results.values()):
        _write_plot(work_dir / f'{name}.png', name, results, splits)


def _notes(runs: Sequence[Run]) -> str:
    """Seeds, splits, protocol and the versions of the code that finished runs were made with, in a line."""
    finished = filter(None, (run.result() for run in runs))
    code = sorted({result['code'] for result in finished}) or [code_version()]
    seeds, splits = dict.fromkeys(run.seed for run in runs), dict.fromkeys(run.split for run in runs)
    averaged = [] if None in splits else [f'mean over the splits {_joined(splits)}']
    # One run of each network and split: a protocol reads the whole lists, and seeds share it.
    protocols = sorted({protocol(run) for run in {(run.network, run.split): run for run in runs}.values()})
    return '; '.join([f'Seeds {_joined(seeds)}', *averaged, *protocols, ', '.join(code)]) + '.'


def _joined(values: Iterable) -> str:
    return ', '.join(map(str, values))


def markdown(
    name: str,
    results: dict[str, Accuracies],
    splits: Sequence[int | None],
    times: dict[str, float] | None,
    notes: str,
) -> str:
    """The table with mean ± standard deviation over the seeds, each split's if there are any, run times, and notes.

    A seed's accuracy is its mean over the splits.
    """
    columns = [] if None in splits else list(splits)
    titles = [name, 'top-1, %', *(f'split {split}' for split in columns), 'seeds', *(['ms a video'] if times else [])]
    lines = []
    for row, found in results.items():
        means = mean_over_splits(found, splits)
        of_splits = [[value for (_, split), value in found.items() if split == column] for column in columns]
        cells = [row, *map(_mean_and_deviation, (means.values(), *of_splits)), str(len(means))]
        lines.append(cells + ([f'{1e3 * times[row]:.1f}'] if times else []))
    return f'{markdown_table(titles, lines)}\n\n{notes}\n'


def _mean_and_deviation(values: Iterable[float]) -> str:
    percent = [100 * value for value in values]
    if not percent:
        return '–'
    deviation = f' ± {statistics.stdev(percent):.1f}' if len(percent) > 1 else ''
    return f'{statistics.mean(percent):.1f}{deviation}'


def _csv(results: dict[str, Accuracies], runs: Sequence[Run], times: dict[str, float] | None) -> str:
    """A column for each seed, or for each seed and split."""
    columns = dict.fromkeys((run.seed, run.split) for run in runs)
    titles = [f'seed {seed}' + ('' if split is None else f' split {split}') for seed, split in columns]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator='\n')
    writer.writerow(['row', *titles, *(['seconds a video'] if times else [])])
    for row, found in results.items():
        writer.writerow([row, *(found.get(column, '') for column in columns), *([times[row]] if times else [])])
    return text.getvalue()


def _write_plot(path: Path, name: str, results: dict[str, Accuracies], splits: Sequence[int | None]) -> None:
    """Write a PNG: a bar for each row's mean, a dot for each seed."""
    import matplotlib

    matplotlib.use('Agg')
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 0.8 + 0.4 * len(results)), layout='constrained')
    for position, found in enumerate(results.values()):
        percent = [100 * value for value in mean_over_splits(found, splits).values()]
        if percent:
            axes.barh(position, statistics.mean(percent), color='tab:blue', alpha=0.5)
            axes.plot(percent, [position] * len(percent), 'k.', markersize=5)
    axes.set(yticks=range(len(results)), yticklabels=results, ylim=(len(results) - 0.5, -0.5))
    axes.set(xlabel='top-1 accuracy, %', title=name, xlim=(0, 100))
    with completed(path) as temporary:
        figure.savefig(temporary, dpi=120)
    plt.close(figure)
