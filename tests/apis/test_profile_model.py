import json

import pytest
from helpers import ROOT

from repflow_mm.apis.profile_model import main
from repflow_mm.profiling.training import STEP_PARTS

CONFIG = str(ROOT / 'configs' / 'demo' / 'repflow_r18_motion_clips.py')


def run(tmp_path, *options, config=CONFIG, flags=()):
    few = ['train_dataloader.batch_size=2', *options]
    main(
        [
            config,
            '--device',
            'cpu',
            '--repeats',
            '1',
            '--json',
            str(tmp_path / 'a' / 'o.json'),
            *flags,
            '--cfg-options',
            *few,
        ]
    )
    return json.loads((tmp_path / 'a' / 'o.json').read_text())


def test_profile_with_data(motion_clips, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv('MOTION_CLIPS', str(motion_clips))
    monkeypatch.chdir(tmp_path)
    good = (motion_clips / 'train.txt').read_text().splitlines()[:3]
    (tmp_path / 'list.txt').write_text('\n'.join(['none.mp4 0', *good]))  # a broken one is replaced, as in training
    options = ['train_dataloader.num_workers=1', 'train_dataloader.dataset.ann_file=list.txt']
    found = run(tmp_path, *options, flags=['--amp'])
    shown = capsys.readouterr().out
    network, memory = found['network'], found['memory']
    assert network['input_shape'] == [1, 3, 8, 32, 32] and found['no_data'] == ''
    assert sum(network['parameters'].values()) == 687_435  # as the README has it
    # One flow of 16 channels between 8 frames on 8x8 maps, 10 iterations.
    assert network['operations']['backbone.flow_blocks.block1 solver'] == 16 * 7 * 8 * 8 * (42 + 10 * 69)
    assert set(network['backends'].values()) <= {'cpu', 'reference'}
    assert memory['weights'] > 4 * 687_435 and memory['optimizer'] >= 2 * 4 * 687_435
    assert 0 < memory['inference'] < memory['training']
    assert set(found['step']['parts']) == set(STEP_PARTS) and all(found['step']['parts'].values())
    assert found['loaded']['wait'] < found['loaded']['seconds'] and found['loaded']['loading'] > 0
    assert list(found['pipeline']['seconds'])[:2] == ['VideoInit', 'SampleFrames']
    assert found['pipeline']['original_size'] == found['pipeline']['size'] == [32, 32]
    assert sum(found['shares'].values()) == pytest.approx(1) and found['bottleneck'] == list(found['shares'])[0]
    assert found['clips_per_second']['with_loading'] == pytest.approx(2 / found['loaded']['seconds'])
    for text in (
        '| backbone.layer1 | 147,968 |',
        '| training, with data loading | ',
        f'Bottleneck: {found["bottleneck"]} (',
    ):
        assert text in shown
    assert all(f'- {line}' in shown for line in found['advice']) and '--amp' not in shown
    assert sorted(path.name for path in tmp_path.iterdir()) == ['a', 'list.txt'], 'a profile leaves nothing else behind'


def test_profile_without_data_says_so_and_reports_the_rest(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv('MOTION_CLIPS', 'nowhere')
    found = run(tmp_path, config=CONFIG.replace('repflow_', 'rgb_'), flags=['--size', '32'])
    shown = capsys.readouterr().out
    assert found['network']['input_shape'] == [1, 3, 8, 32, 32]
    assert found['loaded'] is None and found['pipeline'] is None
    assert set(found['clips_per_second']) == {'without_loading'} and 'data loading' not in found['shares']
    assert 'was not measured, and the clips are rendered: annotation list nowhere/train.txt not found' in shown
    assert 'There is no flow block.' in shown and 'Bottleneck, data loading aside: ' in shown


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['none.py'], 'config none.py does not exist'),
        ([CONFIG, '--device', 'cuda:99'], "device must be 'cpu' or one that torch can use here, got 'cuda:99'"),
        ([CONFIG, '--device', 'gpu'], "device must be 'cpu' or one that torch can use here, got 'gpu'"),
        ([CONFIG, '--cfg-options', 'optim_wrapper=None'], 'has no optim_wrapper: a profile is that of a training'),
        ([CONFIG, '--cfg-options', 'model.backbone.type=RepFlowNet'], "model.backbone has type 'RepFlowNet'"),
        ([CONFIG, '--cfg-options', 'model.backbone.flow.chanels=4'], "no argument 'chanels', nearest is 'channels'"),
        ([CONFIG, '--size', '7'], 'size must be >= 8, got 7'),
        ([CONFIG, '--json', '/proc/none/o.json'], 'file /proc/none/o.json cannot be written'),
    ],
)  # fmt: skip
def test_errors_are_one_line(arguments, message, monkeypatch):
    monkeypatch.setenv('MOTION_CLIPS', 'nowhere')
    with pytest.raises(SystemExit) as end:
        main([*arguments[:1], *(() if '--device' in arguments else ('--device', 'cpu')), *arguments[1:]])
    text = str(end.value)
    assert text.startswith('error: ') and message in text and '\n' not in text


def test_config_of_something_else(tmp_path):
    config = tmp_path / 'localizer.py'
    config.write_text("model = dict(type='BMN')\ntrain_dataloader = dict()\noptim_wrapper = dict()\n")
    with pytest.raises(
        SystemExit, match='^error: config .*localizer.py has no model.backbone: a profile is that of a '
    ):
        main([str(config), '--device', 'cpu'])


def test_data_without_a_batch(motion_clips, monkeypatch):
    monkeypatch.setenv('MOTION_CLIPS', str(motion_clips))
    options = ['train_dataloader.batch_size=99', 'train_dataloader.drop_last=True']
    with pytest.raises(SystemExit, match='^error: train_dataloader has nothing to do: 16 samples make no batch$'):
        main([CONFIG, '--device', 'cpu', '--cfg-options', *options])


def test_repeats_must_be_positive(capsys):
    with pytest.raises(SystemExit):
        main([CONFIG, '--repeats', '0'])
    assert '--repeats must be >= 1, got 0' in capsys.readouterr().err
