"""Checks of a config's evaluators, which would end a training after its first epoch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mmengine.config import Config

# What AccMetric's metrics call their results; top-k has one for each k.
RESULTS = {
    'mean_class_accuracy': 'mean1',
    'mean_average_precision': 'mean_average_precision',
    'mmit_mean_average_precision': 'mmit_mean_average_precision',
}
OF_SEVERAL_LABELS = ('mean_average_precision', 'mmit_mean_average_precision')
# Parts of a result's name by which MMEngine's CheckpointHook knows which of two is better.
ORDERED = ('acc', 'top', 'ar@', 'auc', 'precision', 'map', 'mdice', 'miou', 'macc', 'aacc', 'loss')


def check_evaluators(cfg: Config, mode: str, datasets: Sequence[dict]) -> None:
    """Check that the evaluators' metrics suit the data's labels.

    Args:
        cfg (Config): A runner's config.
        mode (str): ``'train'``, ``'val'`` or ``'test'``.
        datasets (Sequence[dict]): The mode's datasets.

    Raises:
        ValueError: If a metric of several labels is to see data with one, or the reverse.
    """
    several = {bool(dataset.get('multi_class', False)) for dataset in datasets}
    for evaluator in _evaluators(cfg, mode):
        for metric, takes_several in _label_kinds(evaluator):
            if several == {not takes_several}:
                needed, found = ('True', 'one label') if takes_several else ('False', 'several labels')
                raise ValueError(
                    f'{mode}_evaluator: {metric} needs a dataset with multi_class={needed}, but the samples of '
                    f'{mode}_dataloader have {found}'
                )


def check_save_best(cfg: Config) -> None:
    """Check that the checkpoint hook can tell which of two validations is the better.

    Raises:
        ValueError: If it cannot by ``save_best='auto'``, that is by the first result of the first evaluator, or if the
            result that ``save_best`` names is one that AccMetric does not give.
    """
    hook = (cfg.get('default_hooks') or {}).get('checkpoint') or {}
    wanted, evaluators = hook.get('save_best'), list(_evaluators(cfg, 'val'))
    results = [_results(evaluator) for evaluator in evaluators]
    if wanted is None or not results or any(result is None for result in results[: 1 if wanted == 'auto' else None]):
        return
    names = [name for result in results for name in result or ()]
    if wanted == 'auto' and hook.get('rule') is None and not any(part in names[0].lower() for part in ORDERED):
        raise ValueError(
            f"default_hooks.checkpoint.save_best='auto' takes the first result, {names[0]!r}, which has no order: put "
            "AccMetric first in val_evaluator, or name the result, as in save_best='acc/top1'"
        )
    missing = [name for name in ([wanted] if isinstance(wanted, str) else wanted) if name not in ('auto', *names)]
    if missing:
        raise ValueError(
            f'default_hooks.checkpoint.save_best is {missing[0]!r}, but val_evaluator gives {", ".join(names)}'
        )


def _evaluators(cfg: Config, mode: str) -> Iterator[dict]:
    evaluators = cfg.get(f'{mode}_evaluator') or []
    yield from (part for part in ([evaluators] if isinstance(evaluators, dict) else evaluators) if 'type' in part)


def _metrics(evaluator: dict) -> tuple[str, ...]:
    metrics = evaluator.get('metric_list', ('top_k_accuracy', 'mean_class_accuracy'))
    return (metrics,) if isinstance(metrics, str) else tuple(metrics)


def _label_kinds(evaluator: dict) -> Iterator[tuple[str, bool]]:
    """The metrics of an evaluator whose needs are known, and whether each needs several labels."""
    if evaluator['type'] == 'AccMetric':
        yield from ((metric, metric in OF_SEVERAL_LABELS) for metric in _metrics(evaluator))
    elif evaluator['type'] == 'ConfusionMatrix':
        yield 'ConfusionMatrix', False


def _results(evaluator: dict) -> list[str] | None:
    """The names of an evaluator's results, in their order; None if they are not known."""
    if evaluator['type'] == 'ConfusionMatrix':
        return [f'{evaluator.get("prefix") or "confusion_matrix"}/result']
    if evaluator['type'] != 'AccMetric':
        return None
    top = ((evaluator.get('metric_options') or {}).get('top_k_accuracy') or {}).get('topk', (1, 5))
    tops = [f'top{k}' for k in ([top] if isinstance(top, int) else top)]
    names = [tops if metric == 'top_k_accuracy' else [RESULTS.get(metric)] for metric in _metrics(evaluator)]
    names = [name for part in names for name in part]
    return [f'{evaluator.get("prefix") or "acc"}/{name}' for name in names]
