import re

import pytest
from mmengine.config import Config

from repflow_mm.apis.preflight_evaluation import check_evaluators, check_save_best

MATRIX, MEAN_PRECISION = dict(type='ConfusionMatrix'), dict(type='AccMetric', metric_list=('mean_average_precision',))


def config(*evaluators, **checkpoint):
    hooks = dict(checkpoint=dict(dict(type='CheckpointHook', save_best='auto'), **checkpoint))
    return Config(dict(val_evaluator=list(evaluators), default_hooks=hooks))


def test_results_with_an_order_pass():
    check_save_best(Config(dict()))
    check_save_best(config(dict(type='AccMetric'), MATRIX))
    check_save_best(config(dict(type='AccMetric', prefix='val', metric_options=dict(top_k_accuracy=dict(topk=3)))))
    check_save_best(config(MATRIX, dict(type='AccMetric'), save_best='acc/mean1'))
    check_save_best(config(MATRIX, save_best=None))
    check_save_best(config(MEAN_PRECISION, save_best='acc/mean_average_precision'))
    check_save_best(config(dict(type='MyMetric'), save_best='my/score'))
    check_save_best(Config(dict(config(MATRIX, rule='less'), val_evaluator=dict(type='AccMetric'))))


@pytest.mark.parametrize(
    ('evaluators', 'first'),
    [
        ([MATRIX], 'confusion_matrix/result'),
        ([MATRIX, dict(type='AccMetric')], 'confusion_matrix/result'),
        ([dict(type='AccMetric', prefix='x', metric_list='mean_class_accuracy')], 'x/mean1'),
    ],
)
def test_first_result_without_an_order(evaluators, first):
    message = (
        f"default_hooks.checkpoint.save_best='auto' takes the first result, '{first}', which has no order: put Acc"
    )
    with pytest.raises(ValueError, match=f'^{re.escape(message)}'):
        check_save_best(config(*evaluators))


def test_result_that_no_evaluator_gives():
    message = "save_best is 'acc/top2', but val_evaluator gives acc/top1, acc/top5, acc/mean1, confusion_matrix/result"
    with pytest.raises(ValueError, match=re.escape(message)):
        check_save_best(config(dict(type='AccMetric'), MATRIX, save_best=['acc/top1', 'acc/top2']))


@pytest.mark.parametrize('evaluator', [MATRIX, dict(type='AccMetric'), dict(type='MyMetric')])
def test_metrics_of_one_label(evaluator):
    check_evaluators(config(evaluator), 'val', [dict(), dict(multi_class=False)])
    if evaluator['type'] != 'MyMetric':
        message = (
            r'^val_evaluator: (top_k_accuracy|ConfusionMatrix) needs a dataset with multi_class=False, but .*several'
        )
        with pytest.raises(ValueError, match=message):
            check_evaluators(config(evaluator), 'val', [dict(multi_class=True)])


def test_metrics_of_several_labels():
    check_evaluators(config(MEAN_PRECISION), 'val', [dict(multi_class=True)])
    mixed = dict(type='AccMetric', metric_list=('top_k_accuracy', 'mmit_mean_average_precision'))
    message = (
        'mmit_mean_average_precision needs a dataset with multi_class=True, but the samples of val_dataloader have one'
    )
    with pytest.raises(ValueError, match=message):
        check_evaluators(config(mixed), 'val', [dict()])
