import json

import pytest

from repflow_mm.apis.data.make_motion_clips import main

SMALL = ['--train', '4', '--val', '2', '--size', '16', '--length', '3', '--jobs', '1']


def test_writes_and_says_what(tmp_path, capsys):
    main([str(tmp_path), *SMALL])
    assert '6 clips written, 4 + 2 in train.txt and val.txt' in capsys.readouterr().out
    main([str(tmp_path), *SMALL])
    assert '0 clips written' in capsys.readouterr().out


def test_options_reach_the_generator(tmp_path):
    arguments = '--variant hard --classes up up_zoom_in --speed 0.2 0.4 --noise-sigma 3 --seed 7'
    main([str(tmp_path), *SMALL, *arguments.split()])
    parameters = json.loads((tmp_path / 'dataset.json').read_text())
    assert parameters['classes'] == ['up', 'up_zoom_in'] and parameters['speed'] == [0.2, 0.4]
    assert parameters['noise_sigma'] == 3 and parameters['seed'] == 7 and parameters['num_distractors'] == 2


def test_errors_are_one_line(tmp_path):
    with pytest.raises(SystemExit, match=r"error: unknown classes \['sideways'\]"):
        main([str(tmp_path), '--classes', 'sideways'])
    main([str(tmp_path), *SMALL])
    with pytest.raises(SystemExit, match=r'error: .*seed=0 \(now 1\)'):
        main([str(tmp_path), *SMALL, '--seed', '1'])
    main([str(tmp_path), *SMALL, '--seed', '1', '--overwrite'])
