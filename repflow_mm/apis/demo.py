"""What the demo reports: a table, a JSON file and a picture of the training curves."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure
from mmaction.registry import MODELS
from mmengine.config import Config

from repflow_mm.apis.command_line import named_values, one_line_errors
from repflow_mm.apis.scope import scope_of
from repflow_mm.datasets.motion_clips.motions import BASIC_MOTIONS
from repflow_mm.files import check_writable, write_json
from repflow_mm.models.summary import count_parameters
from repflow_mm.visualization.figures import save_figure

# The demo's clips show each of these motions as often.
CHANCE = 1 / len(BASIC_MOTIONS)


def read_curves(work_dir: str | Path) -> list[dict]:
    """The records that training logged below ``work_dir``, in the order of their steps.

    A resumed run has several logs; of records with the same step and kind the latest is kept.

    Raises:
        FileNotFoundError: If there is no log.
    """
    logs = sorted(Path(work_dir).glob('*/vis_data/scalars.json'))
    if not logs:
        raise FileNotFoundError(f'no training log below {work_dir}: */vis_data/scalars.json')
    records = {}
    for log in logs:
        for line in log.read_text().splitlines():
            record = json.loads(line)
            records[record['step'], 'acc/top1' in record] = record
    return [records[key] for key in sorted(records)]


def training_seconds(curves: Sequence[dict]) -> float:
    """Time of all training iterations, data loading included, without validation."""
    seconds, last = 0.0, 0
    for record in curves:
        if 'loss' in record:
            seconds += record['time'] * (record['step'] - last)
            last = record['step']
    return seconds


def read_top1(test_dir: str | Path) -> float:
    """Top-1 accuracy of the latest test run below ``test_dir``.

    Raises:
        FileNotFoundError: If no test has been run.
    """
    results = sorted(Path(test_dir).glob('*/*.json'))
    if not results:
        raise FileNotFoundError(f'no test result below {test_dir}: */*.json')
    return json.loads(results[-1].read_text())['acc/top1']


def _parameters_of(config: str | Path) -> int:
    """Number of parameters of a config's model."""
    cfg = Config.fromfile(config)
    with scope_of(cfg):
        return count_parameters(MODELS.build(cfg.model))


def summarise(work_dir: str | Path, configs: dict[str, str], seed: int) -> dict[str, dict]:
    """Results of the models trained in ``work_dir/<name>`` and tested in ``work_dir/<name>/test``."""
    results = {}
    for name, config in configs.items():
        folder = Path(work_dir, name)
        results[name] = dict(
            top1=read_top1(folder / 'test'),
            parameters=_parameters_of(folder / Path(config).name),  # the config as the run wrote it down
            train_seconds=round(training_seconds(read_curves(folder)), 1),
            seed=seed,
            config=str(config),
            work_dir=str(folder),
        )
    return results


def table(results: dict[str, dict]) -> str:
    """The results as lines of a text table."""
    lines = [f'{"model":<10}{"top-1 accuracy":>16}{"parameters":>14}{"training time":>16}']
    for name, result in results.items():
        accuracy, seconds = f'{100 * result["top1"]:.1f} %', f'{result["train_seconds"]:.0f} s'
        lines.append(f'{name:<10}{accuracy:>16}{result["parameters"]:>14,}{seconds:>16}')
    return '\n'.join(lines)


def draw_curves(curves: dict[str, Sequence[dict]], path: str | Path) -> None:
    """Draw training loss and validation accuracy of each model over the iterations to an image file."""
    figure = Figure(figsize=(9, 3.5), layout='constrained')
    losses, accuracies = figure.subplots(1, 2)
    for name, records in curves.items():
        train = [(record['step'], record['loss']) for record in records if 'loss' in record]
        # A validation record's step counts epochs; the iteration is that of the training record before it.
        per_epoch = train[-1][0] / max(record['step'] for record in records if 'acc/top1' in record)
        val = [(record['step'] * per_epoch, record['acc/top1']) for record in records if 'acc/top1' in record]
        losses.plot(*zip(*train), marker='.', label=name)
        accuracies.plot(*zip(*val), marker='o', label=name)
    losses.set(xlabel='iteration', ylabel='training loss', ylim=(0, None))
    accuracies.set(xlabel='iteration', ylabel='validation accuracy', ylim=(0, 1.03), xlim=(0, None))
    accuracies.axhline(CHANCE, color='grey', linestyle=':', label='chance')
    for axes in (losses, accuracies):
        axes.legend()
        axes.grid(alpha=0.3)
    save_figure(figure, path)


def main(argv: Sequence[str] | None = None) -> None:
    """Write ``results.json`` and ``curves.png``, and show the table."""
    parser = argparse.ArgumentParser(description='Report the results of the demo.')
    parser.add_argument('work_dir', help='folder with one folder for each model')
    parser.add_argument('models', nargs='+', metavar='NAME=CONFIG', help='models and their configs')
    parser.add_argument('--out', help='folder of results.json and curves.png; default: work_dir')
    parser.add_argument('--seed', type=int, default=0, help='the seed that the models were trained with')
    args = parser.parse_args(argv)
    out = Path(args.out or args.work_dir)
    with one_line_errors():
        configs = named_values(args.models, 'models', 'CONFIG')
        check_writable(out, '--out')
        results = summarise(args.work_dir, configs, args.seed)
        out.mkdir(parents=True, exist_ok=True)
        draw_curves({name: read_curves(Path(args.work_dir, name)) for name in configs}, out / 'curves.png')
        write_json(out / 'results.json', results)
    where = '\n'.join(f'  {name}: {result["work_dir"]}' for name, result in results.items())
    sys.stdout.write(
        f'{table(results)}\n\nlogs and checkpoints\n{where}\n'
        f'results:         {out / "results.json"}\ntraining curves: {out / "curves.png"}\n'
    )
