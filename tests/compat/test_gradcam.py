import pytest
import torch
from helpers import ROOT
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmaction.utils import GradCAM
from mmengine.config import Config
from mmengine.registry import init_default_scope

from repflow_mm.compat.gradcam import show_layers_of_folded_frames


@pytest.fixture(scope='module')
def model():
    show_layers_of_folded_frames()
    init_default_scope('mmaction')
    return MODELS.build(Config.fromfile(ROOT / 'configs/demo/repflow_r18_motion_clips.py').model)


# The kind of layer that is upstream's default, one of a residual branch, and the flow block, which sees clips.
LAYERS = ['backbone/layer2/1/relu', 'backbone/layer1/0/conv1', 'backbone/flow_blocks/block1']


@pytest.mark.parametrize('layer', LAYERS)
def test_maps_have_the_shape_of_the_clips(model, layer):
    clips = torch.randint(0, 256, (2, 3, 8, 32, 32), dtype=torch.uint8)  # two views of a sample
    data = dict(inputs=[clips], data_samples=[ActionDataSample().set_gt_label(1)])
    pictures, scores = GradCAM(model, layer)(data)
    assert pictures.shape == (2, 8, 32, 32, 3) and scores.shape == (1, 8)
    assert pictures.isfinite().all()
    heat = pictures - 0.5 * clips.permute(0, 2, 3, 4, 1) / 255
    assert heat.std() > 0, 'the map is not the same everywhere'


def test_weights_are_the_gradients_of_the_layer(model):
    clips = torch.randint(0, 256, (1, 3, 8, 32, 32), dtype=torch.uint8)
    cam = GradCAM(model, 'backbone/layer2/1/relu')
    cam._calculate_localization_map(dict(inputs=[clips], data_samples=[ActionDataSample()]), use_labels=False)
    gradient, features = cam.target_gradients, cam.target_activations
    assert gradient.shape == features.shape == (1, 128, 7, 4, 4), '(N, C, T, H, W), the flow having taken one frame'
    # After this layer there are means over space and time and the classifier alone.
    best = model.cls_head.fc_cls(features.mean(dim=(2, 3, 4))).argmax()
    expected = model.cls_head.fc_cls.weight[best] / (7 * 4 * 4)
    torch.testing.assert_close(gradient, expected[None, :, None, None, None].expand_as(gradient))


def test_unknown_layer(model):
    with pytest.raises(ValueError, match="^Grad-CAM: Recognizer3D has no layer 'backbone/layer9'$"):
        GradCAM(model, 'backbone/layer9')
