from pathlib import Path

import pytest
import yaml
from mmengine.config import Config

from repflow_mm.apis.ablate import load_tables

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ('tiny_kinetics', 'kinetics', 'hmdb51')
TABLES = ROOT / 'configs' / 'tiny_kinetics' / 'tables.yml'
DEMO_TABLES = ROOT / 'configs' / 'demo' / 'ablations' / 'tables.yml'

# Rows that need no flow computed beforehand.
ROWS = dict(where=7, learn=6, iterations=12, fusion=8, flow_of_flow=4, conv3d=8)
DEMO_ROWS = dict(where=7, learn=6, iterations=10, fusion=8, flow_of_flow=4, conv3d=8)

# Top-1 accuracies of the paper's comparison table, by what a config's name begins with.
PAPER = {
    'Kinetics-400': {
        'rgb_imagenet-pretrained-r50_': 61.3,
        'repflow_r50_kinetics': 68.5,
        'fcf_imagenet-pretrained-r50_': 69.4,
        'rgb_imagenet-pretrained-r50-2plus1d_': 74.3,
        'repflow_imagenet-pretrained-r50-2plus1d_': 75.5,
        'fcf_imagenet-pretrained-r50-2plus1d_': 77.1,
        'fcf_imagenet-pretrained-r50-2plus1d-nl-': 77.9,
    },
    'HMDB51': {'repflow_kinetics400-pretrained-': 76.4, 'fcf_kinetics400-pretrained-': 77.3},
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
    assert sampler.clip_len == cfg.model.backbone.num_segments
    assert ('imagenet-pretrained' in name) == bool(cfg.model.backbone.get('pretrained'))
    assert ('kinetics400-pretrained' in name) == bool(cfg.load_from)
    assert name.startswith('rgb') == (cfg.model.backbone.get('flow') is None)
    assert ('fcf' in name) == ('conv' in (cfg.model.backbone.get('flow') or {}).get('stages', ()))


@pytest.mark.parametrize('entry', MODELS)
def test_results_are_the_papers_and_say_so(entry):
    for result in entry.get('Results', []):
        prefixes = [prefix for prefix in PAPER[result['Dataset']] if entry['Name'].startswith(prefix)]
        assert result['Metrics'] == {'Top 1 Accuracy': PAPER[result['Dataset']][max(prefixes, key=len)]}
        assert result['Source'].startswith("the paper's comparison table")


def test_tiny_kinetics_has_no_results():
    assert not any('Results' in entry for entry in entries('tiny_kinetics'))


EVERY_TABLE = [(TABLES, table) for table in ROWS] + [(DEMO_TABLES, table) for table in DEMO_ROWS]


@pytest.mark.parametrize(('file', 'rows'), [(TABLES, ROWS), (DEMO_TABLES, DEMO_ROWS)], ids=['tiny_kinetics', 'demo'])
def test_tables_are_whole(file, rows):
    assert {table: len(found) for table, found in tables(file).items()} == rows
    assert all(len({row.name for row in found}) == len(found) for found in tables(file).values())
    listed = {config.name for found in tables(file).values() for row in found for config in row.configs}
    assert listed == {path.name for path in file.parent.glob('*.py')}


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
        assert cfg.train_dataloader.dataset.num_classes == cfg.model.cls_head.num_classes == 51
