import importlib
import json
import re

import numpy as np
import pytest

from repflow_mm.datasets.flow.frames import write_flow_folder
from repflow_mm.datasets.list_makers.tiny_kinetics import tiny_kinetics_classes
from repflow_mm.datasets.video_files import write_video

SUBSETS = ('train', 'val')


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
    assert 'train_split_2_videos: 51 clips of 51; missing: not looked for' in capsys.readouterr().out
    assert len((tmp_path / 'hmdb51_val_split_2_videos.txt').read_text().splitlines()) == 51
    with pytest.raises(SystemExit, match=r'error: split file .*class_0_test_split1\.txt does not exist'):
        run('hmdb51', tmp_path / 'splits', tmp_path)


def test_kinetics(tmp_path, capsys):
    rows = ['label,youtube_id,time_start,time_end,split', *(f'c{i:03},{i:011},1,11,val' for i in range(600))]
    (tmp_path / 'val.csv').write_text('\n'.join([*rows, 'c000,#NAME?,1,11,val']))
    (tmp_path / 'videos').mkdir()
    (tmp_path / 'videos' / '00000000007.mp4').write_bytes(b'x')
    flags = ('--version', '600', '--val-table', tmp_path / 'val.csv', '--val-videos', tmp_path / 'videos')
    run('kinetics', tmp_path / 'out', *flags)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f'lines without an id of a video: 1, the first {tmp_path}/val.csv, line 602'
    assert lines[1].startswith('val_list_videos: 1 clips of 600; missing: 599, the first 00000000000_000001_000011.mp4')
    assert lines[-1] == f'{tmp_path}/out: lists, kinetics600_classes.txt, kinetics600_report.json'
    with pytest.raises(SystemExit, match='error: the tables have 600 classes, Kinetics-400 has 400'):
        run('kinetics', tmp_path / 'out', *flags[2:])


def test_folders(tmp_path, capsys):
    for name in ('clap', 'wave'):
        (tmp_path / 'videos' / name).mkdir(parents=True)
        for i in range(10):
            (tmp_path / 'videos' / name / f'g{i // 2}_{i}.mp4').write_text(f'{name}{i}')
    run('folders', tmp_path / 'videos', tmp_path, '--name', 'own', '--val', '0.2', '--test', '0.2', '--group', 'g[0-9]')
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == '2 classes of 10 (clap) to 10 (clap) videos'
    assert lines[1] == '5 groups, each on one side'
    assert lines[2:5] == [
        f'{split}_list_videos: {n} clips of {n}; missing: 0' for split, n in (('train', 12), ('val', 4), ('test', 4))
    ]
    assert len((tmp_path / 'own_test_list_videos.txt').read_text().splitlines()) == 4
    with pytest.raises(SystemExit, match='error: shares of two or more splits must be in'):
        run('folders', tmp_path / 'videos', tmp_path, '--val', '1.5')
    with pytest.raises(SystemExit, match='^2$'):
        run('folders', tmp_path / 'videos', tmp_path, '--val', '0.5', '--train-names', 'a.txt')
    (tmp_path / 'names.txt').write_text('g0_0\nclap/g1_2.mp4\n')
    (tmp_path / 'clap.txt').write_text('clap/g0_0.mp4\n')
    run('folders', tmp_path / 'videos', tmp_path / 'given', '--train-names', tmp_path / 'clap.txt')
    assert (tmp_path / 'given' / 'videos_train_list_videos.txt').read_text() == 'clap/g0_0.mp4 0\n'
    with pytest.raises(SystemExit, match="error: .*names.txt, line 1: 'g0_0' is 2 videos"):
        run('folders', tmp_path / 'videos', tmp_path, '--train-names', tmp_path / 'names.txt')


def test_jester_of_frames(tmp_path, capsys):
    contents = dict(labels='Swiping Left\nSwiping Right', train='1;Swiping Left', validation='2;Swiping Right')
    for name, text in contents.items():
        (tmp_path / f'jester-v1-{name}.csv').write_text(text)
    for name in ('1', '2'):
        (tmp_path / 'frames' / name).mkdir(parents=True)
        (tmp_path / 'frames' / name / 'img_00001.png').write_bytes(b'x')
    command = ('jester', tmp_path, tmp_path / 'out', '--frames', tmp_path / 'frames')
    run(*command, '--template', 'img_{:05}.png')
    assert 'labels that a flip exchanges: {0: 1, 1: 0}' in capsys.readouterr().out
    assert (tmp_path / 'out' / 'jester_val_list_rawframes.txt').read_text() == '2 1 1\n'
    with pytest.raises(SystemExit, match='error: .* 1/img_00001.png is not named {:05}.jpg'):
        run(*command)


def test_commands_of_official_annotations(tmp_path, capsys):
    (tmp_path / 'labels.json').write_text('{"Opening something": "0"}')
    for name in ('train', 'validation'):
        (tmp_path / f'{name}.json').write_text(json.dumps([dict(id=name, template='Opening [something]')]))
    for name in ('train', 'test'):
        (tmp_path / f'Diving48_V2_{name}.json').write_text(json.dumps([dict(vid_name=name, label=0)]))
        (tmp_path / f'{name}list01.txt').write_text(f'Archery/v_Archery_{name}.avi\n')
    (tmp_path / 'Diving48_vocab.json').write_text('[["Back", "15som"]]')
    (tmp_path / 'classInd.txt').write_text('1 Archery\n')
    expected = {
        'something_something': ('sthv2_val_list_videos.txt', 'validation.webm 0\n'),
        'diving48': ('diving48_val_list_videos.txt', 'test.mp4 0\n'),
        'ucf101': ('ucf101_val_split_1_videos.txt', 'Archery/v_Archery_test.avi 0\n'),
    }
    for command, (name, text) in expected.items():
        flags = ('--splits', '1') if command == 'ucf101' else ()
        run(command, tmp_path, tmp_path / 'out', *flags)
        assert '1 clips of 1; missing: not looked for' in capsys.readouterr().out
        assert (tmp_path / 'out' / name).read_text() == text
        with pytest.raises(SystemExit, match='error: .* does not exist'):
            run(command, tmp_path / 'nowhere', tmp_path / 'out')


def test_egogestar(tmp_path, capsys):
    (tmp_path / 'testvideo').mkdir()
    for name in ('up_1', 'up_8', 'carret_13', 'star_17'):
        (tmp_path / 'testvideo' / f'testvideo_{name}.mp4').write_bytes(b'x')
    run('egogestar', tmp_path, tmp_path / 'lists')
    lines = capsys.readouterr().out.splitlines()
    missing = 'missing: 156, the first testvideo/testvideo_carret_1.mp4'
    assert lines[0].startswith(f'train_test: 2 clips of 158; {missing}; classes without a clip: 8, ')
    assert lines[4] == 'in no list: 1, the first testvideo/testvideo_star_17.mp4'
    with pytest.raises(SystemExit, match='has none of the clips of train_test; the first was looked for as testvideo/'):
        run('egogestar', tmp_path / 'lists', tmp_path / 'lists')


def test_kth(tmp_path, capsys):
    lines = [f'person{person:02}_boxing_d1\tframes\t1-9, 10-20' for person in (2, 11, 19)]
    (tmp_path / '00sequences.txt').write_text('\n'.join(lines))
    run('kth', tmp_path, tmp_path / 'lists')
    assert capsys.readouterr().out.startswith('train_test: 4 clips of 4; missing: not looked for; classes without a')
    with pytest.raises(SystemExit, match='error: file of sequences .*nowhere/00sequences.txt does not exist'):
        run('kth', tmp_path / 'nowhere', tmp_path / 'lists')


def test_weizmann(tmp_path, capsys):
    run('weizmann', tmp_path, '--splits', '1', '6')
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(':')[0] for line in lines[:4]] == [f'{x}_split_{k}_videos' for k in (1, 6) for x in SUBSETS]
    with pytest.raises(SystemExit):
        run('weizmann', tmp_path, '--splits', '10')
    assert re.search(r'error: argument --splits: invalid choice: 10 \(choose from .*9\)', capsys.readouterr().err)
    (tmp_path / 'videos').mkdir()
    (tmp_path / 'videos' / 'daria_walk.avi').write_bytes(b'x')
    (tmp_path / 'videos' / 'eli_walk.avi').write_bytes(b'x')
    with pytest.raises(SystemExit, match=r'of val_split_2_videos; .*; splits \(--splits\) chooses those that lists'):
        run('weizmann', tmp_path / 'lists', '--videos', tmp_path / 'videos')
    run('weizmann', tmp_path / 'lists', '--videos', tmp_path / 'videos', '--splits', '1')


def test_check_videos(tmp_path, capsys):
    write_video(tmp_path / 'a.mp4', np.full((4, 64, 64, 3), 90, np.uint8), fps=8)
    (tmp_path / 'list.txt').write_text('a.mp4 0\n' + ''.join(f'none{i}.mp4 1\n' for i in range(25)))
    run('check_videos', tmp_path / 'list.txt', '--videos', tmp_path, '--jobs', '1', '--timeout', '30')
    lines = capsys.readouterr().out.splitlines()
    assert '26 lines: 1 ok, ' in lines[0] and ' 25 missing, 0 unreadable, 0 empty, 0 corrupt, ' in lines[0]
    assert lines[-1] == '... 5 more in the report'
    assert len(json.loads((tmp_path / 'list_report.json').read_text())['bad']) == 25
    with pytest.raises(SystemExit, match='error: jobs must be >= 1, got 0'):
        run('check_videos', tmp_path / 'list.txt', '--jobs', '0')


def test_check_videos_of_several_labels(tmp_path, capsys):
    write_video(tmp_path / 'a b.mp4', np.full((4, 64, 64, 3), 90, np.uint8), fps=8)
    (tmp_path / 'list.txt').write_text('a b.mp4,0,2\nnone.mp4,1\n')
    flags = ('--multi-class', '--delimiter', ',', '--jobs', '1')
    run('check_videos', tmp_path / 'list.txt', '--videos', tmp_path, *flags)
    assert (tmp_path / 'list_clean.txt').read_text() == 'a b.mp4,0,2\n'
    (tmp_path / 'parts.txt').write_text('a b.mp4 0 2 7\na b.mp4 2 2 7\n')
    run('check_videos', tmp_path / 'parts.txt', '--videos', tmp_path, '--with-offset', '--jobs', '1')
    assert (tmp_path / 'parts_clean.txt').read_text() == 'a b.mp4 0 2 7\na b.mp4 2 2 7\n'
    with pytest.raises(
        SystemExit, match=r"error: .*list.txt, line 1: 'a b.mp4,0,2': .* an integer, got 'b.mp4,0,2'; the da"
    ):
        run('check_videos', tmp_path / 'list.txt', '--videos', tmp_path)


def test_check_frames(tmp_path, capsys):
    for name in 'ab':
        write_flow_folder(tmp_path / name, np.full((3, 2, 24, 32), 128, np.uint8))
    (tmp_path / 'list.txt').write_text('a 4 0\nb 3 1\n')
    run('check_frames', tmp_path / 'list.txt', '--frames', tmp_path, '--modality', 'Flow', '--jobs', '1')
    lines = capsys.readouterr().out.splitlines()
    last = tmp_path / 'a' / 'x_00004.jpg'
    assert lines[2] == f'line 1: a: short: total_frames is 4, but the last image {last} does not exist'
    assert (tmp_path / 'list_clean.txt').read_text() == 'b 3 1\n'
    with pytest.raises(SystemExit, match='error: folder of videos nowhere does not exist'):
        run('check_frames', tmp_path / 'list.txt', '--frames', 'nowhere')


def test_extract_flow(tmp_path, capsys):
    frames = np.random.default_rng(0).integers(0, 255, (3, 32, 40, 3), dtype=np.uint8)
    write_video(tmp_path / 'a.mp4', frames, fps=8)
    (tmp_path / 'list.txt').write_text('a.mp4 4\nnone.mp4 1\n')
    command = ('extract_flow', tmp_path / 'list.txt', tmp_path / 'flow', '--videos', tmp_path, '--jobs', '1')
    flags = ('--format', 'mp4', '--bound', '10', '--short-side', '24', '--num-warps', '2', '--epsilon', '0.02')
    run(*command, *flags)
    lines = capsys.readouterr().out.splitlines()
    assert '2 lines: 1 ok, ' in lines[0] and ' 1 missing, ' in lines[0] and lines[0].endswith(' 0 refused')
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
