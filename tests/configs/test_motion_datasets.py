"""Configs of Something-Something V2, Jester, Diving48, UCF101, KTH and Weizmann: splits, flips and clips."""

import shutil
from pathlib import Path

import pytest
from helpers import config_files
from looked_at import load_config
from mmaction.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope

import repflow_mm.registration  # noqa: F401
from repflow_mm.apis.preflight import check_custom_keys
from repflow_mm.datasets.list_makers.kth import make_kth_lists
from repflow_mm.datasets.list_makers.mirrored_labels import mirrored_labels

FOLDERS = ('sthv2', 'jester', 'diving48', 'ucf101', 'kth', 'weizmann')
CONFIGS = [path for path in config_files() if Path(path).parts[1] in FOLDERS]
NUM_SPLITS = dict(ucf101=3, weizmann=9)


@pytest.mark.parametrize('path', [path for path in CONFIGS if Path(path).parts[1] in NUM_SPLITS])
def test_configs_read_the_split_that_is_set(path, monkeypatch):
    dataset = Path(path).parts[1]
    monkeypatch.setenv(f'{dataset.upper()}_SPLIT', '3')
    cfg = load_config.__wrapped__(path)
    lists = [cfg[f'{mode}_dataloader'].dataset.ann_file for mode in ('train', 'val', 'test')]
    assert all(dataset in file and '_split_3_' in file for file in lists)
    assert cfg.work_dir == f'./work_dirs/{Path(path).stem}/split3'
    assert cfg.splits == dict(variable=f'{dataset.upper()}_SPLIT', count=NUM_SPLITS[dataset])


@pytest.mark.parametrize(('fold', 'persons'), [('test', (2, 11, 19)), ('tune', (19, 11))])
def test_kth_configs_read_the_sequences_of_the_lists(fold, persons, motion_clips, tmp_path, monkeypatch):
    monkeypatch.setenv('KTH_FOLD', fold)
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'data' / 'kth' / 'videos').mkdir(parents=True)
    names = [f'person{person:02}_walking_d1' for person in (2, 11, 19)]
    for name in names:
        shutil.copy(next(motion_clips.glob('val/*.mp4')), f'data/kth/videos/{name}.mp4')
    Path('00sequences.txt').write_text('\n'.join(f'{name} frames 3-9, 11-12' for name in names))
    make_kth_lists('.', 'data/kth', 'data/kth/videos')
    cfg = load_config.__wrapped__('configs/kth/rgb_r18-narrow_kth.py')
    init_default_scope('mmaction')
    tested, *trained = persons
    for mode in ('train', 'val', 'test'):
        dataset = DATASETS.build(cfg[f'{mode}_dataloader'].dataset)
        found = [dataset.get_data_info(index) for index in range(len(dataset))]
        expected = [(f'person{p:02}', *part) for p in (trained if mode == 'train' else [tested]) for part in PARTS]
        assert [(Path(s['filename']).name[:8], s['offset'], s['total_frames']) for s in found] == expected
        assert dataset[1]['inputs'].shape == (1, 3, 16, 84, 112)


# Frames 3 to 9, and 11 and 12.
PARTS = ((2, 7), (10, 2))


# The official names of the labels that have a left, a right or a sense of rotation in them.
OFFICIAL = dict(
    sthv2={
        86: 'Pulling something from left to right',
        87: 'Pulling something from right to left',
        93: 'Pushing something from left to right',
        94: 'Pushing something from right to left',
        166: 'Turning the camera left while filming something',
        167: 'Turning the camera right while filming something',
    },
    jester={
        0: 'Swiping Left',
        1: 'Swiping Right',
        6: 'Sliding Two Fingers Left',
        7: 'Sliding Two Fingers Right',
        14: 'Turning Hand Clockwise',
        15: 'Turning Hand Counterclockwise',
    },
)


@pytest.mark.parametrize('path', CONFIGS)
def test_flips_exchange_the_labels_of_mirrored_videos(path):
    cfg = load_config(path)
    names = OFFICIAL.get(Path(path).parts[1], {})
    num_classes = cfg.train_dataloader.dataset.num_classes
    expected = mirrored_labels([names.get(label, f'other {label}') for label in range(num_classes)])
    (flip,) = (step for step in cfg.train_dataloader.dataset.pipeline if step.type == 'Flip')
    assert dict(flip.get('flip_label_map') or {}) == expected
    assert len(expected) == len(names)
    assert cfg.model.cls_head.num_classes == num_classes
    # What a run writes down is what it reads again.
    assert Config.fromstring(cfg.pretty_text, '.py').train_pipeline == cfg.train_pipeline


# The shapes of clips, of all views: (M, C, T, H, W) for networks of clips, (M * T, C, H, W) for TSM.
VIEWS = dict(
    sthv2={'32': (6, 3, 32, 256, 256), 'tsm': (48, 3, 256, 256)},
    jester={'32': (6, 3, 32, 256, 256), 'tsm': (48, 3, 256, 256)},
    diving48={'32': (1, 3, 32, 224, 224), 'tsm': (8, 3, 224, 224)},
    ucf101={'32': (25, 3, 32, 224, 224), 'tsm': (8, 3, 224, 224), '16': (25, 3, 16, 112, 112)},
    kth={'16': (1, 3, 16, 84, 112)},
    weizmann={'16': (1, 3, 16, 84, 112)},
)


@pytest.mark.parametrize('path', [path for path in CONFIGS if not Path(path).name.startswith('fcf')])
def test_clips_are_as_the_literature_has_them(path, motion_clips, motion_frames):
    init_default_scope('mmaction')
    cfg, kind = load_config(path), 'tsm' if '-tsm-' in path else '16' if 'narrow' in path else '32'
    folder, prefix = (motion_frames, 'img') if 'jester' in path else (motion_clips, 'video')
    tested = VIEWS[Path(path).parts[1]][kind]
    expected = {'32': (1, 3, 32, 224, 224), 'tsm': (8, 3, 224, 224), '16': (1, *tested[1:])}[kind]
    for mode, shape in dict(train=expected, val=expected, test=tested).items():
        data = cfg[f'{mode}_dataloader'].dataset.to_dict()
        data.update(ann_file=str(folder / 'val.txt'), data_prefix={prefix: str(folder)}, num_classes=None)
        data.pop('with_offset', None)
        assert tuple(DATASETS.build(data)[0]['inputs'].shape) == shape


def test_tsm_learns_at_the_rates_of_its_schedule():
    cfg = load_config('configs/diving48/repflow_imagenet-pretrained-tsm-r50_8xb8-1x1x8-50e_diving48-rgb.py')
    init_default_scope('mmaction')
    model = MODELS.build(cfg.model)
    check_custom_keys(cfg, model)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    groups = build_optim_wrapper(model, cfg.optim_wrapper).optimizer.param_groups
    rates = {names[id(group['params'][0])]: (group['lr'], group['weight_decay']) for group in groups}
    assert rates['cls_head.fc_cls.weight'] == pytest.approx((0.05, 1e-4))
    assert rates['cls_head.fc_cls.bias'] == pytest.approx((0.1, 0))
    assert rates['backbone.layer1.0.conv1.conv.net.weight'] == pytest.approx((0.01, 1e-4))
    assert rates['backbone.layer1.0.conv1.bn.weight'] == pytest.approx((0.01, 0))
    flow = [rate for name, rate in rates.items() if 'steps.flow' in name]
    assert flow and all(rate == pytest.approx((1e-4, 1e-4)) for rate in flow)
