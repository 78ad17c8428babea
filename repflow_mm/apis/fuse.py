"""Late fusion from the command line: dumped scores of several runs, their accuracies and that of their mean."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from repflow_mm.apis.command_line import named_values, one_line_errors
from repflow_mm.evaluation.fusion import (
    Scores,
    check_same_samples,
    fuse,
    load_scores,
    mean_average_precision,
    mean_class_accuracy,
    search_weights,
    top_k,
)
from repflow_mm.files import check_writable, write_json
from repflow_mm.markdown import markdown_table

# What a sample's scores are judged by, and its title; the first one of a run is what weights are searched for.
MEASURES = dict(top1='top-1', top5='top-5', mean_class='mean class', mean_average_precision='mean average precision')


def fuse_streams(
    files: dict[str, Path],
    weights: dict[str, float] | None = None,
    search_split: str | None = None,
    search_files: dict[str, Path] | None = None,
    trust: bool = False,
) -> dict:
    """Accuracy of every stream and of the weighted mean of their probabilities.

    Args:
        files (dict[str, Path]): For each stream what ``tools/test.py --dump`` wrote.
        weights (dict[str, float], optional): One for each stream, >= 0, not all 0. Defaults to equal weights.
        search_split (str, optional): Name of the split on whose scores the weights are searched instead, by
            :func:`repflow_mm.evaluation.fusion.search_weights`.
        search_files (dict[str, Path], optional): For each stream its dump on that split.
        trust (bool): Read the files with pickle, which runs what code they carry. Defaults to False.

    Returns:
        dict: ``streams``, for each its ``file``, ``weight`` (they sum up to 1) and accuracies ``top1``, ``top5`` (None
        where there are no more than five classes) and ``mean_class``, or, where samples have several labels,
        ``mean_average_precision``; ``fusion``, its accuracies; ``samples``, ``classes``; ``weights``, how they were
        found; ``search``, on what, or None; and ``broken``, for each stream with samples that could not be read, and
        count as wrong, their number.

    Raises:
        FileNotFoundError: If a file does not exist.
        ValueError: If there are fewer than two streams; if a file is no dump, or has not the samples, labels and
            classes of the others; if weights or the search split lack a stream or have another; if a weight is out of
            range; or if a sample of the search split is among the reported ones.
    """
    if len(files) < 2:
        raise ValueError(f'fusion needs two streams or more, got {len(files)}: {", ".join(files) or "none"}')
    if weights is not None:
        _check_names('--weights', weights, files)
        weights = {name: _checked_weight(name, weights[name]) for name in files}
    if search_files is not None:
        _check_names(f'search split {search_split}', search_files, files)
    runs = _load_runs(files, trust)
    search = None
    if search_files is not None:
        weights, search = _search(search_split, {name: search_files[name] for name in files}, runs, trust)
    return _report(files, runs, weights, search)


def _check_names(where: str, given: dict, streams: dict) -> None:
    """Raise ValueError unless what is given has exactly the streams."""
    unknown, missing = [name for name in given if name not in streams], [name for name in streams if name not in given]
    if unknown:
        raise ValueError(f'{where}: unknown stream {unknown[0]!r}; the streams are {", ".join(streams)}')
    if missing:
        raise ValueError(f'{where} lacks the stream {missing[0]!r}; the streams are {", ".join(streams)}')


def _checked_weight(name: str, weight: float | str) -> float:
    try:
        value = float(weight)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise ValueError(f'the weight of {name} must be a number >= 0, got {weight!r}')
    return value


def _load_runs(files: dict[str, Path], trust: bool) -> dict[str, Scores]:
    """Scores of each stream, of the same samples."""
    runs = {name: load_scores(path, trust) for name, path in files.items()}
    for name, run in runs.items():
        finite = np.isfinite(run.probabilities).all(axis=1)  # (M,)
        if not finite.all():
            raise ValueError(f'{files[name]}: the scores of {run.names[int(finite.argmin())]} are not finite')
    check_same_samples(runs)
    return runs


def _search(
    split: str, files: dict[str, Path], reported: dict[str, Scores], trust: bool
) -> tuple[dict[str, float], dict]:
    """Weights searched on a split, and what the results say about the search."""
    runs = _load_runs(files, trust)
    searched, shown = next(iter(runs.values())), next(iter(reported.values()))
    common = sorted(set(searched.names) & set(shown.names))
    if common:
        raise ValueError(
            f'search split {split} has samples that are reported, so the fusion would be judged on what it was made '
            f'for: {common[0]} is the first of {len(common)}'
        )
    classes = searched.probabilities.shape[1], shown.probabilities.shape[1]
    if classes[0] != classes[1]:
        raise ValueError(f'search split {split} has {classes[0]} classes, the reported scores have {classes[1]}')
    weights, steps = search_weights(list(runs.values()))
    search = dict(
        split=split,
        files={name: str(path) for name, path in files.items()},
        samples=len(searched.names),
        step=1 / steps,
        **dict([next(iter(accuracies(fuse(list(runs.values()), weights), searched.labels).items()))]),
    )
    return dict(zip(files, weights)), search


def _report(files: dict[str, Path], runs: dict[str, Scores], weights: dict[str, float] | None, search: dict | None):
    how = 'equal' if weights is None else 'given' if search is None else 'searched'
    weights = dict.fromkeys(files, 1.0) if weights is None else weights
    fused = fuse(list(runs.values()), list(weights.values()))
    labels, total = next(iter(runs.values())).labels, sum(weights.values())
    streams = {
        name: dict(file=str(files[name]), weight=weights[name] / total, **accuracies(run.probabilities, labels))
        for name, run in runs.items()
    }
    return dict(
        streams=streams,
        fusion=accuracies(fused, labels),
        samples=len(labels),
        classes=fused.shape[1],
        weights=how,
        search=search,
        broken={name: run.broken for name, run in runs.items() if run.broken},
    )


def accuracies(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, float | None]:
    """Top-1, top-5 and mean-class accuracy of (M, classes); top-5 is None where all classes are among the five.

    Of samples of several labels, ``labels`` (M, classes), it is the mean average precision alone.
    """
    if labels.ndim == 2:
        return dict(mean_average_precision=mean_average_precision(probabilities, labels))
    return dict(
        top1=top_k(probabilities, labels),
        top5=top_k(probabilities, labels, k=5) if probabilities.shape[1] > 5 else None,
        mean_class=mean_class_accuracy(probabilities, labels),
    )


def fusion_table(results: dict) -> str:
    """The results of :func:`fuse_streams` as a Markdown table, and below it on what they were found."""
    measures = {key: title for key, title in MEASURES.items() if key in results['fusion']}
    rows = []
    for name, row in {**results['streams'], 'fusion': results['fusion']}.items():
        weight = f'{row["weight"]:.3g}' if 'weight' in row else ''
        rows.append((name, weight, *('–' if row[key] is None else f'{100 * row[key]:.1f}' for key in measures)))
    table = markdown_table(('stream', 'weight', *(f'{title}, %' for title in measures.values())), rows)
    note, search = f'{results["samples"]} samples, {results["classes"]} classes; {results["weights"]} weights', ''
    if results['search']:
        key, title = next(iter(measures.items()))
        search = (
            f' on {results["search"]["split"]}, {results["search"]["samples"]} other samples, '
            f'in steps of {results["search"]["step"]:g}: {title} {100 * results["search"][key]:.1f} % there'
        )
    broken = ', '.join(f'{count} of {name}' for name, count in results['broken'].items())
    broken = f' Samples that could not be read count as wrong: {broken}.' if broken else ''
    return f'{table}\n\n{note}{search}.{broken}'


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the flags of ``tools/fuse.py``."""
    parser = argparse.ArgumentParser(
        description='Late fusion: accuracy of several runs and of the weighted mean of their probabilities.'
    )
    parser.add_argument(
        'streams', nargs='*', metavar='NAME=SCORES.pkl', help='two streams or more, as tools/test.py --dump wrote them'
    )
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument('--weights', nargs='+', metavar='NAME=WEIGHT', help='weight of each stream; default: equal')
    choice.add_argument(
        '--search-split',
        nargs='+',
        metavar=('SPLIT', 'NAME=SCORES.pkl'),
        help="search the weights with the best top-1 accuracy, or mean average precision, on another split's scores",
    )
    parser.add_argument(
        '--trust', action='store_true', help='read the files with pickle, which runs what code they carry'
    )
    parser.add_argument('--out', type=Path, help='JSON file of the results')
    return parser.parse_args(argv)


def _fuse_from_args(args: argparse.Namespace) -> dict:
    files = named_values(args.streams, 'streams', 'SCORES.pkl')
    if args.weights is not None:
        return fuse_streams(files, named_values(args.weights, '--weights', 'WEIGHT'), trust=args.trust)
    if args.search_split is None:
        return fuse_streams(files, trust=args.trust)
    split, *pairs = args.search_split
    if '=' in split:
        raise ValueError(f"--search-split must begin with the split's name, got {split!r}")
    return fuse_streams(files, None, split, named_values(pairs, '--search-split', 'SCORES.pkl'), args.trust)


def main(argv: Sequence[str] | None = None) -> None:
    """Fuse as the command line says; shows the table and writes the JSON file."""
    args = parse_args(argv)
    with one_line_errors():
        if args.out is not None:
            check_writable(args.out, '--out')
        results = _fuse_from_args(args)
        if args.out is not None:
            args.out.parent.mkdir(parents=True, exist_ok=True)
            write_json(args.out, results)
    sys.stdout.write(f'{fusion_table(results)}\n')
