import re
from pathlib import Path

import pytest
import yaml
from mmengine.config import Config

from repflow_mm.sweeps.ablate import load_tables

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ('tiny_kinetics', 'kinetics', 'hmdb51')
TABLES = ROOT / 'configs' / 'tiny_kinetics' / 'tables.yml'
DEMO_TABLES = ROOT / 'configs' / 'demo' / 'ablations' / 'tables.yml'

ROWS = dict(where=9, learn=6, iterations=12, fusion=8, flow_of_flow=6, conv3d=12)
DEMO_ROWS = dict(where=9, learn=6, iterations=10, fusion=8, flow_of_flow=6, conv3d=12, two_stream=5)

# Top-1 accuracies of the paper's comparison table, by what a config's name begins with.
PAPER = {
    'Kinetics-400': {
        'rgb_imagenet-pretrained-r50_': 61.3,
        'tvl1-stack10_imagenet-pretrained-r50_': 48.2,
        'repflow_r50_kinetics': 68.5,
        'fcf_imagenet-pretrained-r50_': 69.4,
        'rgb_imagenet-pretrained-r50-2plus1d_': 74.3,
        'repflow_imagenet-pretrained-r50-2plus1d_': 75.5,
        'fcf_imagenet-pretrained-r50-2plus1d_': 77.1,
        'fcf_imagenet-pretrained-r50-2plus1d-nl-': 77.9,
    },
    'HMDB51': {
        'rgb_kinetics400-pretrained-r50_': 59.4,
        'tvl1-stack10_kinetics400-pretrained-r50_': 61.2,
        'repflow_kinetics400-pretrained-': 76.4,
        'fcf_kinetics400-pretrained-': 77.3,
        'rgb_kinetics400-pretrained-r50-2plus1d_': 74.5,
    },
}


def entries(folder):
    return yaml.safe_load((ROOT / 'configs' / folder / 'metafile.yml').read_text())['Models']


def tables(file=TABLES):
    return load_tables(list(yaml.safe_load(file.read_text())), str(file))


MODELS = [pytest.param(entry, id=entry['Name']) for folder in FOLDERS for entry in entries(folder)]


@pytest.mark.parametrize('folder', FOLDERS)
def test_every_config_has_one_entry(folder):
    listed = [ROOT / entry['Config'] for entry in entries(folder)]
    there = set((ROOT / 'configs' / folder).glob('*.py'))
    assert len(listed) == len(set(listed))
    assert there <= set(listed)
    assert all(path.is_file() for path in listed)


@pytest.mark.parametrize('entry', MODELS)
def test_entry_says_what_its_config_does(entry):
    cfg = Config.fromfile(ROOT / entry['Config'])
    metadata, backbone = entry['Metadata'], cfg.model.backbone
    kind = {'RepFlowResNet': '', 'RepFlowResNet3d': ' 3D', 'RepFlowResNet2Plus1d': ' (2+1)D'}[backbone.type]
    kind = ' (2+1)D' if backbone.get('inflate_style') == '3x1x1' else kind
    assert entry['Name'] == Path(entry['Config']).stem
    assert metadata['Architecture'] == f'ResNet{backbone.depth}{kind}'
    assert metadata['Epochs'] == cfg.train_cfg.max_epochs
    assert metadata['Batch Size'] == cfg.train_dataloader.batch_size
    assert metadata['Resolution'] == '{0}x{0}'.format(crop_size(cfg))
    assert metadata['Pretrained'] == pretraining(cfg)
    assert num_gpus(metadata) * cfg.train_dataloader.batch_size == cfg.auto_scale_lr.base_batch_size
    assert entry['Modality'] == ('Flow' if 'tvl1' in entry['Name'] else 'RGB')


def crop_size(cfg):
    return next(step.crop_size for step in cfg.test_pipeline if step.type == 'CenterCrop')


def pretraining(cfg):
    if cfg.model.backbone.get('pretrained'):
        return 'ImageNet'
    return 'Kinetics-400' if cfg.load_from else 'None'


def num_gpus(metadata):
    return int(metadata['Training Resources'].split()[0])


@pytest.mark.parametrize('entry', [entry for entry in MODELS if entry.id != 'repflow_r50_kinetics'])
def test_name_says_what_the_config_does(entry):
    cfg, name = Config.fromfile(ROOT / entry['Config']), entry['Name']
    sampler = next(step for step in cfg.train_pipeline if step.type == 'SampleFrames')
    batch = f'{num_gpus(entry["Metadata"])}xb{cfg.train_dataloader.batch_size}'
    clips = f'{sampler.clip_len}x{sampler.frame_interval}x{sampler.num_clips}'
    assert f'_{batch}-{clips}-{cfg.train_cfg.max_epochs}e_' in name
    if cfg.model.type == 'Recognizer3D' and 'num_segments' in cfg.model.backbone:
        assert sampler.clip_len == cfg.model.backbone.num_segments
    assert ('imagenet-pretrained' in name) == bool(cfg.model.backbone.get('pretrained'))
    assert ('kinetics400-pretrained' in name) == bool(cfg.load_from)
    assert name.startswith(('rgb', 'tvl1')) == (cfg.model.backbone.get('flow') is None)
    assert ('fcf' in name) == ('conv' in (cfg.model.backbone.get('flow') or {}).get('steps', ()))


FLOW_MODELS = [entry for entry in MODELS if 'tvl1' in entry.id]


@pytest.mark.parametrize('entry', FLOW_MODELS)
def test_name_says_where_flow_comes_from(entry):
    cfg, name = Config.fromfile(ROOT / entry['Config']), entry['Name']
    assert name.endswith('-flow')
    dataset, preprocessor = cfg.train_dataloader.dataset, cfg.model.data_preprocessor
    assert ('on-the-fly' in name) == (preprocessor.type == 'FlowDataPreprocessor')
    assert ('on-the-fly' in name) == (dataset.type == 'CheckedVideoDataset') == (dataset.get('modality') is None)
    length = re.search(r'-stack(\d+)', name)
    length, num_flows = int(length[1]) if length else 1, 2 if 'twice' in name else 1
    assert cfg.model.backbone.in_channels == 2 * length * num_flows


@pytest.mark.parametrize('entry', FLOW_MODELS)
def test_flips_of_flow_know_flow(entry):
    cfg = Config.fromfile(ROOT / entry['Config'])
    flip = 'Flip' if 'on-the-fly' in entry['Name'] else 'FlowFlip'
    assert [step.type for step in cfg.train_dataloader.dataset.pipeline if 'Flip' in step.type] == [flip]


@pytest.mark.parametrize('entry', FLOW_MODELS)
def test_flow_from_disk_has_the_lists_that_the_extraction_writes(entry):
    cfg = Config.fromfile(ROOT / entry['Config'])
    if 'on-the-fly' in entry['Name']:
        return
    commands = {}
    for mode, subset in (('train', 'train'), ('val', 'val'), ('test', 'val')):
        dataset = cfg[f'{mode}_dataloader'].dataset
        folder, name = dataset.ann_file.rsplit('/', 1)
        assert dataset.data_prefix == dict(img=folder)
        assert subset in name
        commands[subset] = (name, folder)
    name, folder = commands['train']
    split = re.sub(r'split_\d', 'split_1', name)
    assert re.search(rf'extract_flow\.py \S+/{split} {folder} --videos \S+', cfg.data_help)
    rgb = Config.fromfile(ROOT / 'configs' / '_base_' / 'datasets' / RGB_DATASETS[name.split('_')[0]])
    assert cfg.train_dataloader.batch_size == rgb.train_dataloader.batch_size
    for mode in ('train', 'val', 'test'):
        ours, theirs = cfg[f'{mode}_dataloader'], rgb[f'{mode}_dataloader']
        assert ours.dataset.num_classes == theirs.dataset.num_classes
        assert ours.dataset.get('test_mode') == theirs.dataset.get('test_mode')
        assert ours.sampler == theirs.sampler and ours.get('worker_init_fn') == theirs.get('worker_init_fn')
        assert spatial_steps(ours.dataset.pipeline) == spatial_steps(theirs.dataset.pipeline)


RGB_DATASETS = {
    'kinetics400': 'kinetics400_32x224.py',
    'hmdb51': 'hmdb51_split1_32x224.py',
    'tiny': 'tiny_kinetics_16x112.py',
}


def spatial_steps(pipeline):
    return [step for step in pipeline if 'Resize' in step.type or 'Crop' in step.type]


@pytest.mark.parametrize('table', ['where', 'conv3d'])
def test_two_stream_rows_fuse_rgb_and_flow_of_one_network(table):
    rows = {row.name: row.configs for row in tables()[table]}
    two_stream = {name: configs for name, configs in rows.items() if 'two-stream' in name}
    assert len(two_stream) == dict(where=1, conv3d=2)[table]
    for configs in two_stream.values():
        assert all(any(row == (config,) for row in rows.values()) for config in configs)
        rgb, flow = (Config.fromfile(config) for config in configs)
        backbones = [cfg.model.backbone.to_dict() for cfg in (rgb, flow)]
        assert flow.model.data_preprocessor.type == 'FlowDataPreprocessor'
        assert backbones[1].pop('in_channels') in (2, 10) and backbones[0] == backbones[1]
        assert rgb.test_dataloader == flow.test_dataloader


@pytest.mark.parametrize('entry', MODELS)
def test_results_are_the_papers_and_say_so(entry):
    for result in entry.get('Results', []):
        prefixes = [prefix for prefix in PAPER[result['Dataset']] if entry['Name'].startswith(prefix)]
        assert result['Metrics'] == {'Top 1 Accuracy': PAPER[result['Dataset']][max(prefixes, key=len)]}
        assert result['Source'].startswith("the paper's comparison table")


def test_tiny_kinetics_has_no_results():
    assert not any('Results' in entry for entry in entries('tiny_kinetics'))


EVERY_TABLE = [(TABLES, table) for table in ROWS] + [(DEMO_TABLES, table) for table in DEMO_ROWS]


def reads_flow(cfg):
    return cfg.train_dataloader.dataset.get('modality') == 'Flow'


@pytest.mark.parametrize(('file', 'rows'), [(TABLES, ROWS), (DEMO_TABLES, DEMO_ROWS)], ids=['tiny_kinetics', 'demo'])
def test_tables_are_whole(file, rows):
    assert {table: len(found) for table, found in tables(file).items()} == rows
    assert all(len({row.name for row in found}) == len(found) for found in tables(file).values())
    listed = {config.name for found in tables(file).values() for row in found for config in row.configs}
    # Networks on flow from disk stand beside those of the tables, which compute it.
    from_disk = {path.name for path in file.parent.glob('tvl1*.py') if reads_flow(Config.fromfile(path))}
    assert listed == {path.name for path in file.parent.glob('*.py')} - from_disk


@pytest.mark.parametrize(('file', 'table'), EVERY_TABLE, ids=lambda value: getattr(value, 'parent', value))
def test_rows_of_a_table_differ_in_their_networks(file, table):
    models = [[Config.fromfile(config).model.to_dict() for config in row.configs] for row in tables(file)[table]]
    assert all(models[i] != models[j] for i in range(len(models)) for j in range(i))


@pytest.mark.parametrize('file', [TABLES, DEMO_TABLES], ids=['tiny_kinetics', 'demo'])
def test_iterations_and_what_is_learned_are_what_the_rows_say(file):
    for row in tables(file)['iterations']:
        flow = Config.fromfile(row.configs[0]).model.backbone.flow
        count, learned = row.name.split(', ')
        assert flow.num_iters == int(count)
        assert (learned == 'learned') == bool(flow.learn)


@pytest.mark.parametrize('file', [TABLES, DEMO_TABLES], ids=['tiny_kinetics', 'demo'])
def test_late_rows_fuse_the_rgb_network_with_one_that_has_flow(file):
    late = [row for row in tables(file)['fusion'] if row.name.startswith('late')]
    assert len(late) == 2
    for row in late:
        backbones = [Config.fromfile(config).model.backbone for config in row.configs]
        assert ['flow' in backbone for backbone in backbones] == [False, True]


@pytest.mark.parametrize('split', [1, 2, 3])
def test_hmdb51_configs_read_their_own_split(split):
    for path in (ROOT / 'configs' / 'hmdb51').glob(f'*split{split}*.py'):
        cfg = Config.fromfile(path)
        lists = [cfg[f'{mode}_dataloader'].dataset.ann_file for mode in ('train', 'val', 'test')]
        lists += [cfg.ann_file_train, cfg.ann_file_val]
        assert all(f'_split_{split}_' in file and 'hmdb51' in file for file in lists)
        assert ('tvl1' in path.stem and 'on-the-fly' not in path.stem) == all('/flow/' in file for file in lists)
        assert cfg.train_dataloader.dataset.num_classes == cfg.model.cls_head.num_classes == 51
