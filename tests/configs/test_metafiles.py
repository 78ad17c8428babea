from pathlib import Path

import pytest
import yaml
from mmengine.config import Config

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ('tiny_kinetics', 'kinetics', 'hmdb51')
TABLES = ROOT / 'configs' / 'tiny_kinetics' / 'tables.yml'

# Rows that need no flow computed beforehand, nor two networks.
ROWS = dict(where=7, learn=6, iterations=12, fusion=6, flow_of_flow=4, conv3d=8)

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


def tables():
    return yaml.safe_load(TABLES.read_text())


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


def test_tables_have_every_row_that_needs_no_flow_computed_beforehand():
    assert {table: len(rows) for table, rows in tables().items()} == ROWS
    assert all(len({row for row, _ in rows}) == len(rows) for rows in tables().values())


def test_tables_name_every_config_of_their_folder_and_nothing_else():
    listed = {config for rows in tables().values() for _, config in rows}
    assert listed == {path.name for path in TABLES.parent.glob('*.py')}


@pytest.mark.parametrize('table', ROWS)
def test_rows_of_a_table_differ_in_their_networks(table):
    models = [Config.fromfile(TABLES.parent / config).model.to_dict() for _, config in tables()[table]]
    assert all(models[i] != models[j] for i in range(len(models)) for j in range(i))


def test_iterations_and_what_is_learned_are_what_the_rows_say():
    for row, config in tables()['iterations']:
        flow = Config.fromfile(TABLES.parent / config).model.backbone.flow
        count, learned = row.split(', ')
        assert flow.num_iters == int(count)
        assert (learned == 'learned') == bool(flow.learn)


@pytest.mark.parametrize('split', [1, 2, 3])
def test_hmdb51_configs_read_their_own_split(split):
    for path in (ROOT / 'configs' / 'hmdb51').glob(f'*split{split}*.py'):
        cfg = Config.fromfile(path)
        lists = [cfg[f'{mode}_dataloader'].dataset.ann_file for mode in ('train', 'val', 'test')]
        lists += [cfg.ann_file_train, cfg.ann_file_val]
        assert all(f'_split_{split}_' in file and 'hmdb51' in file for file in lists)
        assert cfg.train_dataloader.dataset.num_classes == cfg.model.cls_head.num_classes == 51
