import json
from pathlib import Path

from helpers import ROOT

from repflow_mm.apis import test as test_api
from repflow_mm.apis import train as train_api
from repflow_mm.apis.fuse import fuse_streams

CONFIG = """
_base_ = '{root}/configs/demo/rgb_r18_motion_clips.py'
model = dict(cls_head=dict(multi_class=True, loss_cls=dict(type='BCELossWithLogits'), average_clips='score'))
train_dataloader = dict(batch_size=8, dataset=dict(ann_file='{folder}/train.txt', multi_class=True))
val_dataloader = dict(dataset=dict(ann_file='{folder}/val.txt', multi_class=True))
test_dataloader = val_dataloader
val_evaluator = dict(type='AccMetric', metric_list=('mean_average_precision',))
test_evaluator = val_evaluator
train_cfg = dict(max_epochs=1)
param_scheduler = [dict(type='CosineAnnealingLR', T_max=1, by_epoch=True, convert_to_iter_based=True)]
experiment_name = 'several labels'
"""


def test_train_test_and_fuse(motion_clips, tmp_path, monkeypatch):
    monkeypatch.setenv('MOTION_CLIPS', str(motion_clips))
    for mode in ('train', 'val'):
        lines = (motion_clips / f'{mode}.txt').read_text().splitlines()
        more = [f'{line} {(int(line.split()[-1]) + 3) % 8}' for line in lines]
        (tmp_path / f'{mode}.txt').write_text('\n\n'.join([*more, 'missing.mp4 0 5'][: 9 if mode == 'val' else 16]))
    config, work_dir = tmp_path / 'config.py', tmp_path / 'work'
    config.write_text(CONFIG.format(root=ROOT, folder=tmp_path))
    train_api.main([str(config), '--work-dir', str(work_dir)])
    best = next(work_dir.glob('best_acc_mean_average_precision*.pth'))
    dumps = {name: tmp_path / f'{name}.pkl' for name in ('a', 'b')}
    for name, dump in dumps.items():
        flags = ['--work-dir', tmp_path / name, '--dump', dump, '--cfg-options', f'experiment_name={name}']
        test_api.main([str(config), *map(str, (best, *flags))])
    metrics = json.loads(next(Path(tmp_path / 'a').glob('*/*.json')).read_text())
    assert metrics['bad_data/counted_wrong'] == 1
    results = fuse_streams(dumps)
    assert (results['samples'], results['classes'], results['broken']) == (9, 8, dict(a=1, b=1))
    precision = metrics['acc/mean_average_precision']
    for row in (*results['streams'].values(), results['fusion']):
        assert abs(row['mean_average_precision'] - precision) < 1e-6
