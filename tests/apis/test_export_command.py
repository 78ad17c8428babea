import importlib.util

import pytest
import torch
from helpers import ROOT

from repflow_mm.apis import export
from repflow_mm.apis.recognizer import load_recognizer
from repflow_mm.export import formats

CONFIG = ROOT / 'configs' / 'demo' / 'repflow_r18_motion_clips.py'


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    torch.manual_seed(0)
    model = load_recognizer(CONFIG, device='cpu').model
    torch.nn.init.normal_(model.cls_head.fc_cls.weight, std=0.5)
    path = tmp_path_factory.mktemp('export') / 'model.pth'
    torch.save(dict(state_dict=model.state_dict()), path)
    return path


def run(checkpoint, *flags):
    return export.main([str(CONFIG), str(checkpoint), '--format', 'torchscript', *map(str, flags)])


def test_a_file_that_is_the_same_on_given_clips(checkpoint, motion_clips, capsys):
    assert run(checkpoint, '--clips', motion_clips / 'val', '--with-preprocessing') == 0
    shown = capsys.readouterr().out
    assert 'model.pt (' in shown and ': the same scores as the original on 8 clips; largest difference ' in shown
    assert 'SampleFrames(clip_len=8' in shown and 'included: (pixels - [127.5' in shown
    network = torch.jit.load(checkpoint.with_suffix('.pt'))
    assert network(torch.zeros(1, 3, 8, 32, 32, dtype=torch.uint8)).sum().item() == pytest.approx(1)


def test_a_file_that_is_not_the_same_is_an_exit_code(checkpoint, tmp_path, capsys, monkeypatch):
    def other_network(path, kind):
        return lambda clips: torch.full((len(clips), 8), 0.125)

    monkeypatch.setattr(export, 'load_network', other_network)
    out = tmp_path / 'new' / 'network.pt'
    assert run(checkpoint, '--static-batch', '--out', out) == 1
    assert (
        f'{out} (' in (shown := capsys.readouterr().out) and 'NOT the same scores as the original on 2 clips' in shown
    )


def test_missing_packages_are_one_line(checkpoint, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(formats, 'find_spec', lambda name: None if name == 'onnxscript' else find(name))
    with pytest.raises(SystemExit, match=r"^error: onnx needs onnxscript: pip install 'repflow_mm\[export\]'$"):
        export.main([str(CONFIG), str(checkpoint)])


def test_missing_files(checkpoint, tmp_path):
    with pytest.raises(SystemExit, match='^error: checkpoint .*none.pth does not exist'):
        run(tmp_path / 'none.pth')
    with pytest.raises(SystemExit, match='^error: video, folder or list .*none.mp4 does not exist'):
        run(checkpoint, '--clips', tmp_path / 'none.mp4')
