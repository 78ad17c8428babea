import importlib
import json

import numpy as np
import pytest

from repflow_mm.datasets.lists.tiny_kinetics import tiny_kinetics_classes
from repflow_mm.datasets.video_files import write_video


def run(command, *arguments):
    module = importlib.import_module(f'repflow_mm.apis.data.{command}')
    module.main([str(argument) for argument in arguments])


def test_tiny_kinetics(tmp_path, capsys):
    (tmp_path / 'val.txt').write_text(''.join(f'{name}/a.mp4 0\n' for name in (*tiny_kinetics_classes(), 'abseiling')))
    run('tiny_kinetics', tmp_path / 'out', '--val-list', tmp_path / 'val.txt')
    text = "val: 150 clips found of the authors' 7,102 (2.1%); missing: not looked for, left out (other classes): 1"
    assert text in capsys.readouterr().out
    with pytest.raises(SystemExit, match=r"error: lists must be of splits from \('train', 'val'\), got \(\)"):
        run('tiny_kinetics', tmp_path / 'out')
    with pytest.raises(SystemExit, match='error: annotation list nowhere.txt does not exist'):
        run('tiny_kinetics', tmp_path / 'out', '--train-list', 'nowhere.txt')


def test_hmdb51(tmp_path, capsys):
    (tmp_path / 'splits').mkdir()
    for i in range(51):
        (tmp_path / 'splits' / f'class_{i}_test_split2.txt').write_text('a.avi 1 \nb.avi 2 \nc.avi 0 \n')
    run('hmdb51', tmp_path / 'splits', tmp_path, '--splits', '2')
    assert 'train_2: 51 videos found of the official 3570; missing: not looked for' in capsys.readouterr().out
    assert len((tmp_path / 'hmdb51_val_split_2_videos.txt').read_text().splitlines()) == 51
    with pytest.raises(SystemExit, match=r'error: split file .*class_0_test_split1\.txt does not exist'):
        run('hmdb51', tmp_path / 'splits', tmp_path)


def test_egogestar(tmp_path, capsys):
    (tmp_path / 'testvideo').mkdir()
    for name in ('up_1', 'star_17'):
        (tmp_path / 'testvideo' / f'testvideo_{name}.mp4').write_bytes(b'x')
    run('egogestar', tmp_path, tmp_path / 'lists')
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == 'train_test: 1 clips'
    assert lines[4] == 'not in the clone: 216 clips, the first testvideo/testvideo_carret_1.mp4'
    assert lines[5] == 'in the clone, but in no list: 1 clips, the first testvideo/testvideo_star_17.mp4'
    with pytest.raises(SystemExit, match='error: .* is no clone of varunj/EgoGestAR'):
        run('egogestar', tmp_path / 'lists', tmp_path / 'lists')


def test_check_videos(tmp_path, capsys):
    write_video(tmp_path / 'a.mp4', np.full((4, 64, 64, 3), 90, np.uint8), fps=8)
    (tmp_path / 'list.txt').write_text('a.mp4 0\n' + ''.join(f'none{i}.mp4 1\n' for i in range(25)))
    run('check_videos', tmp_path / 'list.txt', '--videos', tmp_path, '--jobs', '1', '--timeout', '30')
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith('26 lines: 1 ok, 25 missing, 0 empty, 0 corrupt, 0 timeout, 0 crash')
    assert lines[-1] == '... 5 more in the report'
    assert len(json.loads((tmp_path / 'list_report.json').read_text())['bad']) == 25
    with pytest.raises(SystemExit, match='error: jobs must be >= 1, got 0'):
        run('check_videos', tmp_path / 'list.txt', '--jobs', '0')


def test_extract_flow(tmp_path, capsys):
    frames = np.random.default_rng(0).integers(0, 255, (3, 32, 40, 3), dtype=np.uint8)
    write_video(tmp_path / 'a.mp4', frames, fps=8)
    (tmp_path / 'list.txt').write_text('a.mp4 4\nnone.mp4 1\n')
    command = ('extract_flow', tmp_path / 'list.txt', tmp_path / 'flow', '--videos', tmp_path, '--jobs', '1')
    flags = ('--format', 'mp4', '--bound', '10', '--short-side', '24', '--num-warps', '2', '--epsilon', '0.02')
    run(*command, *flags)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith('2 lines: 1 ok, 1 missing, 0 empty, 0 corrupt, 0 timeout, 0 crash, 0 short')
    assert lines[2] == 'line 2: none.mp4: missing: the file does not exist'
    assert (tmp_path / 'flow' / 'list.txt').read_text() == 'a.mp4 2 4\n'
    record = json.loads((tmp_path / 'flow' / 'flow.json').read_text())
    assert (record['bound'], record['short_side'], record['num_warps'], record['epsilon']) == (10, 24, 2, 0.02)
    with pytest.raises(SystemExit, match=r'error: .*flow holds flow made with bound=10.0 \(now 20.0\)'):
        run(*command, '--format', 'mp4')
    with pytest.raises(SystemExit, match='error: tau must be > 0, got -1.0'):
        run(*command, '--tau', '-1')
    with pytest.raises(SystemExit, match=r"error: .*method='tvl1' \(now 'dis'\)"):
        run(*command, *flags[:6], '--method', 'dis', '--preset', 'medium')
