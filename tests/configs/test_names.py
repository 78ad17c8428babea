"""Names of configs say what the configs do."""

import re
from pathlib import Path

import pytest
from helpers import ROOT, config_files
from looked_at import load_config

FOLDERS = ('tiny_kinetics', 'kinetics', 'hmdb51', 'ucf101', 'sthv2', 'jester', 'diving48')
NAMED = [path for path in config_files() if Path(path).parts[1] in FOLDERS]
FLOW_STREAMS = [path for path in NAMED if 'tvl1' in path]
FROM_DISK = [path for path in FLOW_STREAMS if 'on-the-fly' not in path]
HMDB51 = [path for path in NAMED if 'hmdb51' in path]


@pytest.mark.parametrize('path', NAMED)
def test_name_says_what_the_config_does(path):
    cfg, name = load_config(path), Path(path).stem
    batch_size, base_batch_size = cfg.train_dataloader.batch_size, cfg.auto_scale_lr.base_batch_size
    sampler = next(step for step in cfg.train_pipeline if step.type in ('SampleFrames', 'UniformSample'))
    batch = f'{base_batch_size // batch_size}xb{batch_size}'
    is_uniform = sampler.type == 'UniformSample'
    clips = f'u{sampler.clip_len}' if is_uniform else f'{sampler.clip_len}x{sampler.frame_interval}x{sampler.num_clips}'
    assert base_batch_size % batch_size == 0
    assert f'_{batch}-{clips}-{cfg.train_cfg.max_epochs}e_' in name
    if cfg.model.type == 'Recognizer3D' and 'num_segments' in cfg.model.backbone:
        assert sampler.clip_len == cfg.model.backbone.num_segments
    network = cfg.model.backbone.get('backbone', cfg.model.backbone)
    assert ('imagenet-pretrained' in name) == bool(network.get('pretrained'))
    assert ('-tsm-' in name) == (network.type == 'ResNetTSM')
    assert ('kinetics400-pretrained' in name) == bool(cfg.load_from)
    assert name.startswith(('rgb', 'tvl1')) == (cfg.model.backbone.get('flow') is None)


@pytest.mark.parametrize('path', NAMED)
def test_fcf_names_one_architecture(path):
    flow, name = load_config(path).model.backbone.get('flow') or {}, Path(path).stem
    fcf = load_config('configs/_base_/models/fcf.py').fcf.to_dict()
    fcfcf = dict(fcf, steps=('flow', 'conv', 'flow', 'conv', 'flow'))
    settings = {key: flow[key] for key in fcf if key in flow}
    all_flows = load_config('configs/_base_/models/fcf_all_flows.py').fcf.to_dict()
    assert name.startswith('fcf-all-flows_') == ({key: flow.get(key) for key in all_flows} == all_flows)
    assert name.startswith('fcf_') == (settings == fcf)
    assert name.startswith('fcfcf_') == (settings == fcfcf)
    assert name.startswith('flow-conv-flow') == (
        'conv' in flow.get('steps', ()) and flow.fusion == 'none' and 'outputs' not in flow
    )


@pytest.mark.parametrize('path', FLOW_STREAMS)
def test_name_says_where_flow_comes_from(path):
    cfg, name = load_config(path), Path(path).stem
    assert name.endswith('-flow')
    dataset, preprocessor = cfg.train_dataloader.dataset, cfg.model.data_preprocessor
    assert ('on-the-fly' in name) == (preprocessor.type == 'FlowDataPreprocessor')
    assert ('on-the-fly' in name) == (dataset.type == 'CheckedVideoDataset') == (dataset.get('modality') is None)
    length = re.search(r'-stack(\d+)', name)
    length, num_flows = int(length[1]) if length else 1, 2 if 'twice' in name else 1
    assert cfg.model.backbone.in_channels == 2 * length * num_flows
    flip = 'Flip' if 'on-the-fly' in name else 'FlowFlip'
    assert [step.type for step in dataset.pipeline if 'Flip' in step.type] == [flip]


@pytest.mark.parametrize('path', FROM_DISK)
def test_flow_from_disk_has_the_lists_that_the_extraction_writes(path):
    cfg = load_config(path)
    for mode, subset in (('train', 'train'), ('val', 'val'), ('test', 'val')):
        dataset = cfg[f'{mode}_dataloader'].dataset
        folder, name = dataset.ann_file.rsplit('/', 1)
        assert dataset.data_prefix == dict(img=folder)
        assert subset in name
        if subset == 'train':
            assert re.search(rf'extract_flow\.py \S+/{name} {folder} --videos \S+', cfg.data_help)


RGB_DATASETS = dict(
    kinetics='kinetics400_32x224.py', hmdb51='hmdb51_32x224.py', tiny_kinetics='tiny_kinetics_16x112.py'
)


@pytest.mark.parametrize('path', FROM_DISK)
def test_flow_from_disk_is_read_as_videos_are(path):
    cfg, rgb = load_config(path), load_config(f'configs/_base_/datasets/{RGB_DATASETS[Path(path).parts[1]]}')
    assert cfg.train_dataloader.batch_size == rgb.train_dataloader.batch_size
    for mode in ('train', 'val', 'test'):
        ours, theirs = cfg[f'{mode}_dataloader'], rgb[f'{mode}_dataloader']
        assert ours.dataset.num_classes == theirs.dataset.num_classes
        assert ours.dataset.get('test_mode') == theirs.dataset.get('test_mode')
        assert ours.sampler == theirs.sampler and ours.get('worker_init_fn') == theirs.get('worker_init_fn')
        assert spatial_steps(ours.dataset.pipeline) == spatial_steps(theirs.dataset.pipeline)


def spatial_steps(pipeline):
    return [step for step in pipeline if 'Resize' in step.type or 'Crop' in step.type]


@pytest.mark.parametrize('split', [None, '2', '3'])
@pytest.mark.parametrize('path', HMDB51)
def test_hmdb51_configs_read_the_split_that_is_set(path, split, monkeypatch):
    if split is None:
        monkeypatch.delenv('HMDB51_SPLIT', raising=False)
    else:
        monkeypatch.setenv('HMDB51_SPLIT', split)
    cfg, split = load_config.__wrapped__(path), split or '1'
    lists = [cfg[f'{mode}_dataloader'].dataset.ann_file for mode in ('train', 'val', 'test')]
    lists += [cfg.ann_file_train, cfg.ann_file_val]
    assert all(f'_split_{split}_' in file and 'hmdb51' in file for file in lists)
    assert (path in FROM_DISK) == all('/flow/' in file for file in lists)
    assert (path in FROM_DISK) == (f'_split_{split}_' in cfg.data_help)
    assert cfg.work_dir == f'./work_dirs/{Path(path).stem}/split{split}'
    assert cfg.train_dataloader.dataset.num_classes == cfg.model.cls_head.num_classes == 51


@pytest.mark.parametrize('path', [path for path in HMDB51 if 'kinetics400-pretrained' in path])
def test_hmdb51_checkpoints_have_the_name_of_a_kinetics_config(path):
    name = Path(load_config(path).load_from).stem
    (source,) = ROOT.glob(f'configs/**/{name}.py')
    # The network that was trained, but for its head and the weights it started from.
    backbones = [load_config(file).model.backbone.to_dict() for file in (path, source)]
    for backbone in backbones:
        backbone.pop('pretrained')
    assert backbones[0] == backbones[1]
