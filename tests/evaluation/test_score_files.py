import io
import os
import pickle
import warnings
from collections import OrderedDict

import mmengine
import numpy as np
import pytest
import torch

from repflow_mm.apis.fuse import fuse_streams, main
from repflow_mm.evaluation.fusion import load_scores
from repflow_mm.evaluation.score_files import read_score_file


class Calls:
    """Calls a function when it is unpickled by pickle itself, and is given a state if there is one."""

    def __init__(self, function, *arguments, state=None):
        self.function, self.arguments, self.state = function, arguments, state

    def __reduce__(self):
        return (self.function, self.arguments) if self.state is None else (self.function, self.arguments, self.state)


@pytest.fixture
def made(tmp_path):
    """What a payload would make."""
    return tmp_path / 'made'


@pytest.fixture
def write(tmp_path):
    def write(content, protocol=2):
        content = content if isinstance(content, bytes) else pickle.dumps(content, protocol)
        (tmp_path / 'scores.pkl').write_bytes(content)
        return tmp_path / 'scores.pkl'

    return write


def sample(name='a', label=0, score=(0.9, 0.1), **more):
    return dict(filename=name, gt_label=torch.tensor([label]), pred_score=torch.tensor(score), **more)


def test_what_mmengine_dumps_is_read(tmp_path):
    from mmaction.structures import ActionDataSample
    from mmengine.evaluator import DumpResults

    data_sample = ActionDataSample().set_gt_label(1).set_pred_label(1).set_pred_score(torch.tensor([0.25, 0.75]))
    data_sample.set_metainfo(dict(filename='a b.mp4', frame_inds=np.arange(8), img_shape=(32, 32), fps=np.float32(25)))
    metric = DumpResults(str(tmp_path / 'scores.pkl'))
    metric.process({}, [data_sample.to_dict()])
    metric.evaluate(1)
    (read,) = read_score_file(tmp_path / 'scores.pkl')
    assert read['filename'] == 'a b.mp4' and read['img_shape'] == (32, 32)
    for name in ('gt_label', 'pred_label', 'pred_score'):
        assert torch.equal(read[name], data_sample.get(name)) and read[name].dtype == data_sample.get(name).dtype
    assert load_scores(tmp_path / 'scores.pkl').labels.tolist() == [1]


TENSORS = [
    torch.arange(24.0).reshape(4, 6)[1:, ::2].T,
    torch.tensor(7),
    torch.tensor([True, False]),
    torch.tensor([0.1], dtype=torch.bfloat16),
    torch.tensor([0.1], dtype=torch.float16),
    torch.tensor([-1], dtype=torch.int8),
    torch.empty(0, 3, dtype=torch.float64),
    torch.nn.Parameter(torch.ones(2)).data,
]


@pytest.mark.parametrize('protocol', range(2, 6))
def test_values_come_back_as_they_were(write, protocol):
    content = [dict(tensors=TENSORS, bytes=b'\xff\x00', text='ä', more=[None, 1.5], odd=OrderedDict(a=1))]
    (read,) = read_score_file(write(content, protocol))
    for expected, found in zip(TENSORS, read.pop('tensors'), strict=True):
        assert expected.dtype == found.dtype and torch.equal(expected, found)
    assert read == dict(bytes=b'\xff\x00', text='ä', more=[None, 1.5], odd=OrderedDict(a=1))


@pytest.mark.parametrize('protocol', range(2, 6))
@pytest.mark.parametrize(
    'value', [np.arange(3), np.float32(1), np.dtype('f4'), np.array(['a']), np.array([object], dtype=object)[:0]]
)
def test_numpys_values_are_passed_over(write, value, protocol):
    (read,) = read_score_file(write([dict(value=value, after=1)], protocol))
    assert type(read['value']).__name__ == '_PassedOver' and read['after'] == 1


def storage_bytes(content, in_zip=False):
    torch.save(content, file := io.BytesIO(), _use_new_zipfile_serialization=in_zip)
    return file.getvalue()


def payloads(made):
    command = f'touch {made}'
    hidden = Calls(torch.storage._load_from_bytes, storage_bytes(Calls(os.system, command)))
    return {
        'system': (Calls(os.system, command), r'is refused: it needs posix\.system'),
        'eval': (Calls(eval, f'open({str(made)!r}, "w")'), r'is refused: it needs __builtin__\.eval'),
        'getattr': (Calls(getattr, 'a', 'upper'), r'is refused: it needs __builtin__\.getattr'),
        'import': (Calls(__import__, 'antigravity'), r'is refused: it needs __builtin__\.__import__'),
        'in a storage': (hidden, r'is damaged, or no pickle file: '),
        'torch.load': (Calls(torch.load, 'file.pth'), r'is refused: it needs torch\.serialization\.load'),
        'dataset': (Calls(mmengine.dump, 1, str(made), 'json'), r'is refused: it needs mmengine\.fileio\.io\.dump'),
    }


@pytest.mark.parametrize('name', payloads(''))
def test_code_is_refused_in_one_line_and_does_not_run(write, made, name):
    payload, message = payloads(made)[name]
    for content in (payload, [sample(extra=payload)]):
        with pytest.raises(ValueError, match=rf'scores\.pkl {message}') as error:
            load_scores(write(content))
        assert '\n' not in str(error.value)
    assert not made.exists()


def test_numpys_functions_are_not_called(write, made):
    from numpy.testing import runstring

    path = write([sample(extra=Calls(runstring, f'open({str(made)!r}, "w")', {}))])
    assert load_scores(path).names == ('a',)
    assert not made.exists()
    load_scores(path, trust=True)
    assert made.exists()


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        # A name's own attributes: BUILD on the function, persistent ids, codecs that run something.
        (b'\x80\x02ctorch._utils\n_rebuild_tensor_v2\n}X\x01\x00\x00\x00aK\x01sb.', 'it needs another _tensor'),
        (b'\x80\x02ccollections\nOrderedDict\nN}X\x01\x00\x00\x00aK\x01s\x86b.', 'is damaged, or no pickle file: '),
        (b'Pother\n.', "it needs the object 'other' of another file"),
        (b'\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x05\x00\x00\x00rot13\x86R.', "it needs the encoding 'rot13'"),
        (b'\x80\x02\x82\x01.', 'is damaged, or no pickle file: unregistered extension code 1'),
    ],
)
def test_ways_around_the_allowed_names(write, content, message):
    with pytest.raises(ValueError, match=message) as error:
        load_scores(write(content))
    assert '\n' not in str(error.value)


@pytest.mark.parametrize('in_zip', [True, False], ids=['zip', 'legacy'])
@pytest.mark.parametrize(
    ('offset', 'size', 'stride', 'message'),
    [
        (0, (9,), (1,), r'a tensor \(9,\) reaches beyond its 4 numbers'),
        (4, (1,), (1,), r'a tensor \(1,\) reaches beyond its 4 numbers'),
        (0, (2, 2), (1, 3), r'a tensor \(2, 2\) reaches beyond its 4 numbers'),
        (-1, (1,), (1,), 'is damaged, or no pickle file: '),
        (3, (2,), (-1,), 'is damaged, or no pickle file: '),
        (0, (-1,), (1,), 'is damaged, or no pickle file: '),
    ],
)
def test_tensors_stay_within_their_numbers(write, offset, size, stride, message, in_zip):
    storage = Calls(torch.storage._load_from_bytes, storage_bytes(torch.ones(4)._typed_storage(), in_zip))
    tensor = Calls(torch._utils._rebuild_tensor_v2, storage, offset, size, stride, False, {})
    with pytest.raises(ValueError, match=message) as error:
        load_scores(write([sample(extra=tensor)]))
    assert '\n' not in str(error.value)


def test_storage_that_is_none(write):
    content = Calls(torch.storage._load_from_bytes, storage_bytes(dict(a=1)))
    with pytest.raises(ValueError, match='it needs dict in the place of a tensor'):
        load_scores(write([sample(extra=content)]))


ODD = {
    'empty file': (b'', 'is damaged, or no pickle file: Ran out of input'),
    'text': (b'a.mp4 0 0.5 0.5\n', 'is damaged, or no pickle file: '),
    'bytes': (bytes(range(256)), 'is damaged, or no pickle file: '),
    'deep': (b'\x80\x02' + b']' * 100 + b'.', 'expected a list of samples, got none'),
    'loop': (b'\x80\x02]q\x00h\x00a.', 'expected a list of samples, got list as number 0'),
    'huge': (b'\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x0f.', 'is damaged, or no pickle file: '),
    'none': (None, 'expected a list of samples, got NoneType'),
    'no samples': ([], 'expected a list of samples, got none'),
    'a tuple': ((sample(),), 'expected a list of samples, got tuple'),
    'a sample that is none': ([sample(), 'b'], 'expected a list of samples, got str as number 1'),
    'no scores in the second': ([sample(), dict(filename='b')], r"samples lack \['gt_label', 'pred_score'\]"),
    'a number as name': ([sample(), sample(name=7)], 'the filename of a sample must be its name, got int'),
    'an empty name': ([sample(name='')], 'the filename of a sample must be its name, got str'),
    'a list as name': ([sample(name=['a'])], 'the filename of a sample must be its name, got list'),
    'scores in a list': (
        [sample() | dict(pred_score=[0.5, 0.5])],
        'pred_score must be a tensor .* of floats, got list',
    ),
    'scores of two views': ([sample(score=[[0.5, 0.5]] * 2)], r"'a': pred_score must be .*, got \(2, 2\) float32"),
    'no classes': ([sample(score=[])], r"'a': pred_score must be a tensor .*, got \(0,\) float32"),
    'whole scores': ([sample(score=[1, 0])], r"'a': pred_score must be .*, got \(2,\) int64"),
    'scores of NumPy': ([sample() | dict(pred_score=np.ones(2))], 'pred_score must be a tensor .*, got _PassedOver'),
    'other classes': ([sample(), sample('b', score=[0.1, 0.2, 0.7])], 'different numbers of classes: 2, 3'),
    'two labels': (
        [sample() | dict(gt_label=torch.tensor([0, 2]))],
        r"'a': gt_label must be .* one integer, got \(2,\)",
    ),
    'a float label': ([sample(label=0.5)], r"'a': gt_label must be a tensor of one integer, got \(1,\) float32"),
    'no label': ([sample() | dict(gt_label=None)], "'a': gt_label must be a tensor of one integer, got NoneType"),
    'a label too high': ([sample(label=2)], r"'a': gt_label must lie in \[0, 2\), got 2"),
    'a negative label': ([sample(label=-1)], r"'a': gt_label must lie in \[0, 2\), got -1"),
}


@pytest.mark.parametrize('name', ODD)
def test_odd_dumps_give_one_line_each(write, tmp_path, name):
    content, message = ODD[name]
    path = write(content)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        with pytest.raises(SystemExit, match=rf'^error: .*scores\.pkl.*{message}') as error:
            main([f'a={path}', f'b={path}'])
    assert '\n' not in str(error.value)


def test_trust_is_explicit(write, made, tmp_path, capsys):
    scores = [sample(extra=Calls(os.system, f'touch {made}')), sample('b', 1)]
    path = write(scores)
    with pytest.raises(ValueError, match=r'tools/fuse\.py --trust reads it nevertheless'):
        fuse_streams(dict(a=path, b=path))
    with pytest.raises(SystemExit, match='is refused'):
        main([f'a={path}', f'b={path}'])
    assert not made.exists()
    main([f'a={path}', f'b={path}', '--trust'])
    assert made.exists() and '2 samples, 2 classes' in capsys.readouterr().out


def test_trust_reaches_the_search_split(write, made, tmp_path):
    searched = write([sample('c', extra=Calls(os.system, f'touch {made}')), sample('d', 1)]).rename(tmp_path / 's.pkl')
    path = write([sample(), sample('b', 1)])
    words = [f'a={path}', f'b={path}', '--search-split', 'val', f'a={searched}', f'b={searched}']
    with pytest.raises(SystemExit, match=r's\.pkl is refused'):
        main(words)
    main([*words, '--trust'])
    assert made.exists()
