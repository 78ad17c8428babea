import pytest
import torch

from repflow_mm.apis.convert import convert_file, main
from repflow_mm.models.layers import RepresentationFlow

CONFIG = """
model = dict(
    type='Recognizer3D',
    backbone=dict(type='RepFlowResNet', depth=18, num_segments=4, pretrained='nowhere.pth', flow=dict(
        after='block3', channels=4, steps=('flow', 'conv', 'flow'))),
    cls_head=dict(type='I3DHead', num_classes=3, in_channels=512))
"""


def layer_state(prefix=''):
    taps = dict(img_grad=3, f_grad=2, div=2)
    state = {
        f'{name}{axis}': torch.rand(4, 1, *((1, count) if not axis else (count, 1)))
        for name, count in taps.items()
        for axis in ('', '2')
    }
    return {f'{prefix}{name}': value for name, value in state.items()}


def test_layer_file_loads(tmp_path):
    torch.save(layer_state(), tmp_path / 'released.pt')
    convert_file(tmp_path / 'released.pt', tmp_path / 'ours.pth')
    content = torch.load(tmp_path / 'ours.pth', weights_only=True)
    layer = RepresentationFlow(4)
    layer.load_state_dict(content['state_dict'])
    torch.testing.assert_close(layer.div_kernel[1], torch.load(tmp_path / 'released.pt')['div2'][:, 0, :, 0])
    assert content['meta']['report'][0] == '6 of 6 tensors mapped, 0 left:'


def test_model_of_a_config(tmp_path, capsys):
    (tmp_path / 'config.py').write_text(CONFIG)
    released = {**layer_state('flow_layer.'), **layer_state('flow_layer2.'), 'fc.bias': torch.rand(150)}
    torch.save(dict(state_dict=released), tmp_path / 'released.pt')
    main([str(tmp_path / name) for name in ('released.pt', 'ours.pth')] + ['--config', str(tmp_path / 'config.py')])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == '12 of 13 tensors mapped, 1 left:'
    assert '  fc.bias: left, its shape (150,) does not fit cls_head.fc_cls.bias (3,)' in lines
    assert '  backbone.flow_blocks.block3.reduce.weight: nothing in the file goes into it' in lines
    assert lines[-1].endswith('ours.pth: written')
    names = torch.load(tmp_path / 'ours.pth', weights_only=True)['state_dict'].keys()
    assert all(name.startswith('backbone.flow_blocks.block3.steps.flow') for name in names) and len(names) == 12


def test_errors_are_one_line(tmp_path):
    released, ours = str(tmp_path / 'released.pt'), str(tmp_path / 'ours.pth')
    with pytest.raises(SystemExit, match=r'error: weights .*released\.pt does not exist'):
        main([released, ours])
    torch.save([1], released)
    with pytest.raises(SystemExit, match=r'error: .*released\.pt holds no state dict, neither .*; it holds list'):
        main([released, ours])
    torch.save({**layer_state(), 'img_grad': torch.rand(4, 4, 1, 3)}, released)
    with pytest.raises(SystemExit, match='error: img_grad has shape .* June 2019'):
        main([released, ours])
    torch.save(layer_state(), released)
    with pytest.raises(SystemExit, match='error: folder .*nowhere does not exist'):
        main([released, str(tmp_path / 'nowhere' / 'ours.pth')])
    with pytest.raises(SystemExit, match=r'error: config nowhere\.py does not exist'):
        main([released, ours, '--config', 'nowhere.py'])
    (tmp_path / 'config.py').write_text(CONFIG)
    with pytest.raises(SystemExit, match='error: nothing of .*released.pt fits the model of .*config.py'):
        main([released, ours, '--config', str(tmp_path / 'config.py')])
    assert sorted(path.name for path in tmp_path.iterdir()) == ['config.py', 'released.pt']
