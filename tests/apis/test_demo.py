import json

import pytest
from helpers import ROOT
from mmengine.config import Config

from repflow_mm.apis import demo

TRAIN = [
    dict(loss=2.0, time=0.5, step=10),
    dict(loss=1.0, time=0.1, step=20),
]
VAL = dict(step=1) | {'acc/top1': 0.4}


def write_log(folder, name, records):
    log = folder / name / 'vis_data' / 'scalars.json'
    log.parent.mkdir(parents=True)
    log.write_text('\n'.join(json.dumps(record) for record in records))


@pytest.fixture
def work_dir(tmp_path):
    for name, top1 in (('rgb', 0.125), ('repflow', 0.975)):
        write_log(tmp_path / name, '20260101_000000', [*TRAIN, VAL])
        config = f'{name}_r18_motion_clips.py'
        Config.fromfile(ROOT / 'configs' / 'demo' / config).dump(tmp_path / name / config)
        result = tmp_path / name / 'test' / '20260101_000100' / '20260101_000100.json'
        result.parent.mkdir(parents=True)
        result.write_text(json.dumps({'acc/top1': top1}))
    return tmp_path


def test_training_seconds_add_up_the_logged_windows():
    assert demo.training_seconds([*TRAIN, VAL]) == pytest.approx(10 * 0.5 + 10 * 0.1)


def test_curves_of_a_resumed_run_keep_the_latest_record_of_a_step(tmp_path):
    write_log(tmp_path, '20260101_000000', TRAIN)
    write_log(tmp_path, '20260101_000100', [dict(loss=0.9, time=0.2, step=20), VAL])
    curves = demo.read_curves(tmp_path)
    assert [record['loss'] for record in curves if 'loss' in record] == [2.0, 0.9]


def test_missing_results_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match='no training log below'):
        demo.read_curves(tmp_path)
    with pytest.raises(FileNotFoundError, match='no test result below'):
        demo.read_top1(tmp_path)


def test_report_writes_results_and_picture(work_dir, capsys):
    configs = {name: f'configs/demo/{name}_r18_motion_clips.py' for name in ('rgb', 'repflow')}
    demo.main([str(work_dir), *(f'{name}={config}' for name, config in configs.items()), '--seed', '3'])
    text = capsys.readouterr().out
    results = json.loads((work_dir / 'results.json').read_text())
    assert {name: result['top1'] for name, result in results.items()} == {'rgb': 0.125, 'repflow': 0.975}
    assert results['repflow']['parameters'] > results['rgb']['parameters'] > 0
    assert results['rgb']['seed'] == 3
    assert '97.5 %' in text and str(work_dir / 'curves.png') in text
    assert (work_dir / 'curves.png').read_bytes().startswith(b'\x89PNG')


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['rgb'], "models must be NAME=CONFIG, got 'rgb'"),
        (['a=a.py', 'a=b.py'], "models: 'a' is given twice, with a.py and b.py"),
        (['rgb=rgb.py'], 'no test result below .*: '),
    ],
)
def test_report_of_what_is_not_there_ends_in_one_line(tmp_path, arguments, message):
    with pytest.raises(SystemExit, match=f'error: {message}'):
        demo.main([str(tmp_path), *arguments])
