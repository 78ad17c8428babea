import json
import pickle

import numpy as np
import pytest
import torch
from helpers import ROOT, run_python

from repflow_mm.apis.fuse import fuse_streams, fusion_table, main

# Six samples of two classes in the form of tools/test.py --dump; RGB knows four of them, flow the four last.
LABELS = [0, 0, 1, 1, 0, 1]
RGB = [(0.9, 0.1), (0.8, 0.2), (0.1, 0.9), (0.3, 0.7), (0.45, 0.55), (0.6, 0.4)]
FLOW = [(0.4, 0.6), (0.4, 0.6), (0.4, 0.6), (0.3, 0.7), (0.9, 0.1), (0.2, 0.8)]


def write_dump(path, scores, labels=LABELS, prefix='test'):
    samples = [
        dict(filename=f'{prefix}_{i}.mp4', gt_label=torch.tensor([label]), pred_score=torch.tensor(score))
        for i, (score, label) in enumerate(zip(scores, labels))
    ]
    path.write_bytes(pickle.dumps(samples[::-1]))
    return path


@pytest.fixture
def files(tmp_path):
    return dict(rgb=write_dump(tmp_path / 'rgb.pkl', RGB), flow=write_dump(tmp_path / 'flow.pkl', FLOW))


@pytest.fixture
def fuse(files, capsys):
    """The tool on the two streams and further words: its output."""

    def fuse(*words, streams=('rgb', 'flow')):
        main([*(f'{name}={files[name]}' for name in streams), *map(str, words)])
        return capsys.readouterr().out

    return fuse


def test_accuracies_of_streams_and_fusion(files):
    results = fuse_streams(files)
    assert (results['samples'], results['classes'], results['weights'], results['search']) == (6, 2, 'equal', None)
    # Right are samples 0 to 3 of RGB and 2 to 5 of flow, so that either is right on 2/3.
    rgb, flow = results['streams'].values()
    assert rgb == dict(file=str(files['rgb']), weight=0.5, top1=4 / 6, top5=None, mean_class=pytest.approx(2 / 3))
    assert (flow['top1'], flow['mean_class']) == (4 / 6, pytest.approx((1 / 3 + 1) / 2))
    assert results['fusion'] == dict(top1=1.0, top5=None, mean_class=1.0)


def test_table(fuse):
    assert fuse().splitlines() == [
        '| stream | weight | top-1, % | top-5, % | mean class, % |',
        '|---|---|---|---|---|',
        '| rgb | 0.5 | 66.7 | – | 66.7 |',
        '| flow | 0.5 | 66.7 | – | 66.7 |',
        '| fusion |  | 100.0 | – | 100.0 |',
        '',
        '6 samples, 2 classes; equal weights.',
    ]


def test_top5_with_more_classes(tmp_path):
    """Label 0 has the sixth highest score of seven in one stream, the fifth in the other."""
    ranks = {'sixth': [2, 7, 6, 5, 4, 3, 1], 'fifth': [3, 7, 6, 5, 4, 2, 1]}
    files = {name: write_dump(tmp_path / f'{name}.pkl', [np.array(r) / 28.0], [0]) for name, r in ranks.items()}
    results = fuse_streams(files)
    assert [results['streams'][name]['top5'] for name in ranks] == [0.0, 1.0]
    assert '| fifth | 0.5 | 0.0 | 100.0 | 0.0 |' in fusion_table(results)


def test_given_weights(fuse, files):
    assert '| rgb | 0.4 | ' in fuse('--weights', 'flow=1.5', 'rgb=1')
    results = fuse_streams(files, dict(flow=0, rgb=3))
    assert [row['weight'] for row in results['streams'].values()] == [1.0, 0.0]
    assert results['weights'] == 'given'
    assert results['fusion']['top1'] == results['streams']['rgb']['top1']


def test_searched_weights(files, fuse, tmp_path):
    """On the other split flow is always wrong, so it gets what does no harm, and no less."""
    labels = [0, 1]
    val_rgb = write_dump(tmp_path / 'val_rgb.pkl', [(0.6, 0.4), (0.4, 0.6)], labels, 'val')
    val_flow = write_dump(tmp_path / 'val_flow.pkl', [(0.2, 0.8), (0.88, 0.12)], labels, 'val')
    out = tmp_path / 'new' / 'fused.json'
    text = fuse('--search-split', 'my val', f'flow={val_flow}', f'rgb={val_rgb}', '--out', out)
    # 0.6 w + 0.2 (1 - w) > 0.5 needs w > 0.75, and 0.6 w + 0.12 (1 - w) > 0.5 needs w > 0.79.
    assert '| rgb | 0.8 | ' in text and '| flow | 0.2 | ' in text
    assert text.endswith(
        '6 samples, 2 classes; searched weights on my val, 2 other samples, in steps of 0.05: top-1 100.0 % there.\n'
    )
    results = json.loads(out.read_text())
    assert results['weights'] == 'searched'
    assert results['search'] == dict(
        split='my val', files=dict(rgb=str(val_rgb), flow=str(val_flow)), samples=2, step=0.05, top1=1.0
    )
    assert results['streams']['rgb']['weight'] == pytest.approx(0.8)


def test_errors_on_the_command_line(fuse, files, tmp_path):
    rgb = files['rgb']
    val = write_dump(tmp_path / 'val.pkl', RGB, prefix='val')

    def message(*words, streams=('rgb', 'flow')):
        with pytest.raises(SystemExit) as ended:
            fuse(*words, streams=streams)
        assert '\n' not in str(ended.value)
        return str(ended.value)

    assert message(streams=()) == 'error: fusion needs two streams or more, got 0: none'
    assert message(streams=['rgb']) == 'error: fusion needs two streams or more, got 1: rgb'
    assert message(rgb) == f"error: streams must be NAME=SCORES.pkl, got '{rgb}'"
    assert message('a=', 'b=x') == "error: streams must be NAME=SCORES.pkl, got 'a='"
    assert message('rgb=x.pkl') == f"error: streams: 'rgb' is given twice, with {rgb} and x.pkl"
    assert message('a=none.pkl') == 'error: score file none.pkl does not exist'
    assert message('--weights', 'rgb=1', 'a=2') == "error: --weights: unknown stream 'a'; the streams are rgb, flow"
    assert message('--weights', 'rgb=1') == "error: --weights lacks the stream 'flow'; the streams are rgb, flow"
    assert message('--weights', 'rgb=1', 'rgb=2') == "error: --weights: 'rgb' is given twice, with 1 and 2"
    for wrong in ('x', '-1', 'nan', 'inf'):
        expected = f"error: the weight of flow must be a number >= 0, got '{wrong}'"
        assert message('--weights', 'rgb=1', f'flow={wrong}') == expected
    assert 'weights must be 2 numbers >= 0, not all 0, got [0.0, 0.0]' in message('--weights', 'rgb=0', 'flow=0')
    search = ['--search-split', 'val']
    assert message('--search-split', f'rgb={val}') == (
        f"error: --search-split must begin with the split's name, got 'rgb={val}'"
    )
    assert message(*search, f'rgb={val}') == (
        "error: search split val lacks the stream 'flow'; the streams are rgb, flow"
    )
    assert message(*search, f'rgb={val}', f'flow={val}', f'a={val}') == (
        "error: search split val: unknown stream 'a'; the streams are rgb, flow"
    )


def test_searching_on_reported_samples_is_refused(files, tmp_path):
    scores = [(0.6, 0.4)] * 3
    val = write_dump(tmp_path / 'val.pkl', scores, [0, 0, 0], 'test')
    with pytest.raises(ValueError, match=r'^search split val has samples that are reported, .*test_0\.mp4 is the first '
                                         r'of 3$'):  # fmt: skip
        fuse_streams(files, None, 'val', dict(rgb=val, flow=val))
    samples = pickle.loads(val.read_bytes())
    for sample, name in zip(samples, ('val_a', 'test_4.mp4', 'val_b')):
        sample['filename'] = name
    val.write_bytes(pickle.dumps(samples))
    with pytest.raises(ValueError, match=r'test_4\.mp4 is the first of 1$'):
        fuse_streams(files, None, 'val', dict(rgb=val, flow=val))


def test_search_split_with_other_classes_is_refused(files, tmp_path):
    val = write_dump(tmp_path / 'val.pkl', [(0.2, 0.3, 0.5)], [0], 'val')
    with pytest.raises(ValueError, match='search split val has 3 classes, the reported scores have 2'):
        fuse_streams(files, None, 'val', dict(rgb=val, flow=val))


def test_files_that_differ_are_refused(files, tmp_path):
    """The first difference is named, on the reported split and on the one that is searched."""
    other = write_dump(tmp_path / 'other.pkl', RGB, [0, 0, 0, 1, 0, 1])
    with pytest.raises(ValueError, match=r'rgb and flow disagree on the label of test_2\.mp4: 1 and 0'):
        fuse_streams(dict(files, flow=other))
    val, other = (write_dump(tmp_path / f'{p}.pkl', RGB, prefix=p) for p in ('val', 'zal'))
    with pytest.raises(ValueError, match=r'rgb and flow have different samples: val_0\.mp4 is only in rgb'):
        fuse_streams(files, None, 'val', dict(rgb=val, flow=other))


def test_scores_that_are_not_finite_are_refused(files, tmp_path):
    broken = write_dump(tmp_path / 'broken.pkl', [*RGB[:3], (float('nan'), 0.5), *RGB[4:]])
    with pytest.raises(ValueError, match=r'broken\.pkl: the scores of test_3\.mp4 are not finite'):
        fuse_streams(dict(files, flow=broken))


def test_weights_and_search_exclude_each_other(files, capsys):
    with pytest.raises(SystemExit):
        main(['a=a.pkl', 'b=b.pkl', '--weights', 'a=1', 'b=1', '--search-split', 'val', 'a=c.pkl', 'b=d.pkl'])
    assert 'argument --search-split: not allowed with argument --weights' in capsys.readouterr().err


def test_unwritable_file_ends_in_one_line(fuse, files, tmp_path):
    with pytest.raises(SystemExit, match='^error: .*rgb.pkl'):
        fuse('--out', files['rgb'] / 'fused.json')


def test_script(files, tmp_path):
    words = [f'{name}={path}' for name, path in files.items()]
    done = run_python(ROOT / 'tools' / 'fuse.py', *words, '--out', 'fused.json', cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, '')
    assert '| fusion |  | 100.0 | – | 100.0 |' in done.stdout
    assert json.loads((tmp_path / 'fused.json').read_text())['fusion']['top1'] == 1.0


def test_several_labels(tmp_path, capsys):
    labels = np.eye(3)[[0, 1, 2]] + np.eye(3)[[1, 2, 0]]
    files = {}
    for name, change in dict(rgb=0.0, flow=1.0).items():
        samples = [
            dict(
                filename=f'{i}.mp4',
                gt_label=torch.tensor(label),
                pred_score=torch.tensor(abs(label - change * (i == 0))),
            )
            for i, label in enumerate(labels)
        ]
        samples[0]['bad_data'] = [dict(path='0.mp4')]
        files[name] = tmp_path / f'{name}.pkl'
        files[name].write_bytes(pickle.dumps(samples))
    main([f'{name}={file}' for name, file in files.items()])
    assert capsys.readouterr().out.splitlines() == [
        '| stream | weight | mean average precision, % |',
        '|---|---|---|',
        '| rgb | 0.5 | 100.0 |',
        '| flow | 0.5 | 77.8 |',
        '| fusion |  | 100.0 |',
        '',
        '3 samples, 3 classes; equal weights. Samples that could not be read count as wrong: 1 of rgb, 1 of flow.',
    ]
