import torch
from mmengine.registry import init_default_scope

from repflow_mm.compat import prepare_upstream
from repflow_mm.compat.heads import accept_bfloat16_scores


def test_heads_take_bfloat16_scores():
    prepare_upstream()
    init_default_scope('mmaction')
    from mmaction.models.heads import I3DHead
    from mmaction.structures import ActionDataSample

    accept_bfloat16_scores()
    accept_bfloat16_scores()
    head, scores = I3DHead(num_classes=4, in_channels=2), torch.tensor([[0.1, 0.5, 0.2, 0.3]])
    sample = ActionDataSample().set_gt_label(1)
    expected = head.loss_by_feat(scores.bfloat16().float(), [sample])
    found = head.loss_by_feat(scores.bfloat16(), [sample])
    assert found['loss_cls'].dtype == torch.float32
    assert {name: value.item() for name, value in found.items()} == {k: v.item() for k, v in expected.items()}
    double = head.loss_by_feat(scores.double(), [sample])
    assert double['loss_cls'].dtype == torch.float64, 'other types stay as they are'
