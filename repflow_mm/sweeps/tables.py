"""Tables of a sweep's results: Markdown, CSV and pictures."""

from __future__ import annotations

import csv
import io
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from repflow_mm.files import write_text
from repflow_mm.markdown import markdown_table
from repflow_mm.sweeps.code_version import code_version
from repflow_mm.sweeps.pictures import write_accuracy_over_ms, write_bars, write_confusions
from repflow_mm.sweeps.results import (
    Accuracies,
    Predictions,
    mean_over_splits,
    paired_difference,
    row_accuracies,
    row_predictions,
)
from repflow_mm.sweeps.rows import Row
from repflow_mm.sweeps.runs import Run


class RowResult(NamedTuple):
    """What a table shows of a row.

    Args:
        accuracies (Accuracies): Top-1 by seed and split.
        means (dict[int, float]): Top-1 by seed, mean over the splits.
        predictions (Predictions, optional): Those of every clip, where they are asked for and there are some.
        seconds (float, optional): What the row's networks take for a video, where that is known of all rows.
    """

    accuracies: Accuracies
    means: dict[int, float]
    predictions: Predictions | None = None
    seconds: float | None = None


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
    references: dict[str, str] | None = None,
    per_clip: bool = False,
    plot: str | None = None,
) -> None:
    """Write ``<name>.md``, ``<name>.csv`` and ``<name>.png`` from the runs that are finished so far.

    Args:
        name (str): The table's name.
        rows (Sequence[Row]): Its rows.
        runs (Sequence[Run]): Runs of every network with every seed, and of every split if there are splits.
        work_dir (Path): Folder to write to.
        seconds (dict[str, float], optional): What each network takes for a video, by its name, for a column of run
            times, in which a late-fusion row has the sum of its networks'. Defaults to None, no such column.
        references (dict[str, str], optional): For rows the row that they are compared with, seed by seed, in a column
            of differences. Defaults to None, no such column.
        per_clip (bool): Add columns of the interval over clips and of the mean class accuracy, and write
            ``<name>_confusion.png``. Defaults to False.
        plot (str, optional): ``'accuracy_over_ms'``, which ``<name>.png`` shows where ``seconds`` are known. Defaults
            to None, bars.
    """
    results = {}
    splits = list(dict.fromkeys(run.split for run in runs))
    for row in rows:
        accuracies = row_accuracies(row, runs)
        results[row.name] = RowResult(
            accuracies,
            mean_over_splits(accuracies, splits),
            row_predictions(row, runs) if per_clip else None,
            sum(seconds[network.name] for network in row.networks) if seconds else None,
        )
    used = [run for run in runs if any(run.network in row.networks for row in rows)]
    work_dir.mkdir(parents=True, exist_ok=True)
    text = markdown(name, results, splits, _notes(used, references, per_clip), references, per_clip)
    write_text(work_dir / f'{name}.md', text.splitlines())
    write_text(work_dir / f'{name}.csv', _csv(results, runs).splitlines())
    means = {row: result.means for row, result in results.items() if result.means}
    if means and seconds and plot == 'accuracy_over_ms':
        milliseconds = {row: 1e3 * result.seconds for row, result in results.items()}
        write_accuracy_over_ms(work_dir / f'{name}.png', name, means, milliseconds, references or {})
    elif means:
        write_bars(work_dir / f'{name}.png', name, {row: result.means for row, result in results.items()})
    predictions = {row: result.predictions for row, result in results.items() if result.predictions}
    if predictions:
        write_confusions(work_dir / f'{name}_confusion.png', predictions)


def _notes(runs: Sequence[Run], references: dict[str, str] | None, per_clip: bool) -> str:
    """Seeds, splits, protocol and the versions of the code that finished runs were made with, in a line."""
    finished = filter(None, (run.result() for run in runs))
    code = sorted({result['code'] for result in finished}) or [code_version()]
    seeds, splits = dict.fromkeys(run.seed for run in runs), dict.fromkeys(run.split for run in runs)
    averaged = [] if None in splits else [f'mean over the splits (folds) {_joined(splits)}']
    # One run of each network and split: a protocol reads the whole lists, and seeds share it.
    protocols = sorted({protocol(run) for run in {(run.network, run.split): run for run in runs}.values()})
    explained = ['difference: mean ± standard error over the seeds'] if references else []
    explained += ['interval: 95 %, bootstrap over the test clips'] if per_clip else []
    return '; '.join([f'Seeds {_joined(seeds)}', *averaged, *protocols, *explained, ', '.join(code)]) + '.'


def _joined(values: Iterable) -> str:
    return ', '.join(map(str, values))


def markdown(
    name: str,
    results: dict[str, RowResult],
    splits: Sequence[int | None],
    notes: str,
    references: dict[str, str] | None = None,
    per_clip: bool = False,
) -> str:
    """The table with mean ± standard deviation over the seeds, each split's if there are any, run times, and notes.

    A seed's accuracy is its mean over the splits.
    """
    columns = [] if None in splits else list(splits)
    timed = all(result.seconds is not None for result in results.values())
    titles = [name, 'top-1, %', *(f'split {split}' for split in columns)]
    titles += ['interval', 'mean class, %'] if per_clip else []
    titles += [_difference_title(references)] if references else []
    titles += ['seeds', *(['ms a video'] if timed else [])]
    lines = []
    for row, result in results.items():
        of_splits = [[value for (_, s), value in result.accuracies.items() if s == split] for split in columns]
        cells = [row, *map(_mean_and_deviation, (result.means.values(), *of_splits))]
        cells += _clip_cells(result.predictions) if per_clip else []
        cells += [_difference(row, result, results, references)] if references else []
        lines.append([*cells, str(len(result.means)), *([f'{1e3 * result.seconds:.1f}'] if timed else [])])
    return f'{markdown_table(titles, lines)}\n\n{notes}\n'


def _mean_and_deviation(values: Iterable[float]) -> str:
    percent = [100 * value for value in values]
    if not percent:
        return '–'
    deviation = f' ± {statistics.stdev(percent):.1f}' if len(percent) > 1 else ''
    return f'{statistics.mean(percent):.1f}{deviation}'


def _clip_cells(predictions: Predictions | None) -> list[str]:
    """The interval over clips, and the mean class accuracy."""
    if predictions is None:
        return ['–', '–']
    low, high = predictions.interval()
    return [f'{100 * low:.1f} to {100 * high:.1f}', f'{100 * predictions.mean_class_accuracy:.1f}']


def _difference_title(references: dict[str, str]) -> str:
    """What the column of differences is called: cells name the row of reference where there are several."""
    names = set(references.values())
    return f'minus {names.pop()}' if len(names) == 1 else 'difference to'


def _difference(row: str, result: RowResult, results: dict[str, RowResult], references: dict[str, str]) -> str:
    """The difference of a row's top-1 to that of its row of reference, in percentage points."""
    reference = references.get(row)
    found = None if reference is None else paired_difference(result.means, results[reference].means)
    if found is None:
        return '–'
    mean, error = found
    name = f'{reference}: ' if len(set(references.values())) > 1 else ''
    return f'{name}{100 * mean:+.1f}' + ('' if error is None else f' ± {100 * error:.1f}')


def _csv(results: dict[str, RowResult], runs: Sequence[Run]) -> str:
    """A column for each seed, or for each seed and split."""
    timed = all(result.seconds is not None for result in results.values())
    columns = dict.fromkeys((run.seed, run.split) for run in runs)
    titles = [f'seed {seed}' + ('' if split is None else f' split {split}') for seed, split in columns]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator='\n')
    writer.writerow(['row', *titles, *(['seconds a video'] if timed else [])])
    for row, result in results.items():
        values = [result.accuracies.get(column, '') for column in columns]
        writer.writerow([row, *values, *([result.seconds] if timed else [])])
    return text.getvalue()
