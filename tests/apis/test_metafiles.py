import pytest
import yaml

from repflow_mm.apis.metafiles import main, metafiles

CONFIG = """
model = dict(backbone=dict({backbone}), data_preprocessor=dict(type='{preprocessor}'))
train_dataloader = dict(batch_size=4, dataset=dict(type='Videos', modality={modality!r}))
test_pipeline = [dict(type='CenterCrop', crop_size=56)]
train_cfg = dict(max_epochs=7)
auto_scale_lr = dict(base_batch_size={batch})
load_from = {load_from!r}
"""
TABLE = """
source: the paper
collection: {Name: Flow, README: README.md}
metafiles:
  some: {data: Some Clips, configs: [main.py, 'some/*.py']}
results:
  - {model: A, data: Some Clips, top1: 12.3, config: some/b.py}
  - {model: B, data: Some Clips, top1: 45.6}
"""


def write_config(path, backbone, preprocessor='ActionDataPreprocessor', modality=None, batch=4, load_from=None):
    values = dict(backbone=backbone, preprocessor=preprocessor, modality=modality, batch=batch, load_from=load_from)
    path.write_text(CONFIG.format(**values))


@pytest.fixture
def configs(tmp_path):
    folder = tmp_path / 'configs'
    (folder / 'some').mkdir(parents=True)
    write_config(folder / 'main.py', "type='RepFlowResNet', depth=18, pretrained='a.pth'", batch=32)
    write_config(folder / 'some' / 'b.py', "type='RepFlowResNet3d', depth=50, inflate_style='3x1x1'", load_from='b.pth')
    write_config(folder / 'some' / 'c.py', "type='RepFlowResNet3d', depth=50", 'FlowDataPreprocessor')
    write_config(folder / 'some' / 'd.py', "type='RepFlowResNet2Plus1d', depth=18", modality='Flow')
    write_config(folder / 'some' / 'e.py', "type='Other'")
    (folder / 'paper_results.yml').write_text(TABLE)
    return folder


def test_entries_say_what_the_configs_do(configs):
    ((file, text),) = metafiles(configs).items()
    assert file == configs / 'some' / 'metafile.yml'
    content = yaml.safe_load(text)
    assert content['Collections'] == [dict(Name='Flow', README='README.md')]
    entries = {entry['Name']: entry for entry in content['Models']}
    assert list(entries) == ['main', 'b', 'c', 'd', 'e']
    assert entries['main'] == {
        'Name': 'main',
        'Config': 'configs/main.py',
        'In Collection': 'Flow',
        'Metadata': {
            'Architecture': 'ResNet18',
            'Batch Size': 4,
            'Epochs': 7,
            'Pretrained': 'ImageNet',
            'Resolution': '56x56',
            'Training Data': 'Some Clips',
            'Training Resources': '8 GPUs',
        },
        'Modality': 'RGB',
    }
    architectures = [entry['Metadata']['Architecture'] for entry in entries.values()]
    assert architectures == ['ResNet18', 'ResNet50 (2+1)D', 'ResNet50 3D', 'ResNet18 (2+1)D', 'Other']
    pretrained = [entry['Metadata']['Pretrained'] for entry in entries.values()]
    assert pretrained == ['ImageNet', 'Kinetics-400', 'None', 'None', 'None']
    assert [entry['Modality'] for entry in entries.values()] == ['RGB', 'RGB', 'Flow', 'Flow', 'RGB']
    assert entries['b']['Metadata']['Training Resources'] == '1 GPU'


def test_results_stand_at_their_config_with_their_source(configs):
    (text,) = metafiles(configs).values()
    results = {entry['Name']: entry.get('Results') for entry in yaml.safe_load(text)['Models']}
    assert results.pop('b') == [
        {
            'Dataset': 'Some Clips',
            'Task': 'Action Recognition',
            'Source': 'the paper',
            'Metrics': {'Top 1 Accuracy': 12.3},
        }
    ]
    assert set(results.values()) == {None}


def test_files_are_written_once_and_checked(configs, capsys):
    file = configs / 'some' / 'metafile.yml'
    assert main([str(configs), '--check']) == 1 and not file.exists()
    assert capsys.readouterr().out == f'{file} is not current\n'
    assert main([str(configs)]) == 0
    assert capsys.readouterr().out == f'{file} written\n'
    assert main([str(configs), '--check']) == main([str(configs)]) == 0
    assert capsys.readouterr().out == ''
    assert file.read_text().startswith('# Made by tools/metafiles.py of the configs')


@pytest.mark.parametrize('config', ['some/missing.py', 'main.pyc'])
def test_result_of_no_config_is_quoted(configs, config):
    (configs / 'paper_results.yml').write_text(TABLE.replace('some/b.py', config))
    with pytest.raises(ValueError, match=f'{config}.* is no config of a metafile of Some Clips'):
        metafiles(configs)


def test_result_of_another_data_set_is_refused(configs):
    (configs / 'paper_results.yml').write_text(TABLE.replace('data: Some Clips, top1: 12.3', 'data: Other, top1: 12.3'))
    with pytest.raises(ValueError, match="'some/b.py' is no config of a metafile of Other"):
        metafiles(configs)


def test_missing_table_is_one_clear_line(tmp_path):
    with pytest.raises(SystemExit, match=r"error: table of the paper's results .*paper_results\.yml does not exist"):
        main([str(tmp_path)])
