import pytest
from mmaction.registry import DATASETS
from mmengine.registry import init_default_scope

import repflow_mm.registration  # noqa: F401
from repflow_mm.profiling.rendered_data import rendered_dataset

SAMPLE = [dict(type='SampleFrames', clip_len=4, frame_interval=1, num_clips=1)]
PACK = [dict(type='FormatShape', input_format='NCTHW'), dict(type='PackActionInputs')]
VIDEO = [dict(type='VideoInit'), *SAMPLE, dict(type='VideoDecode'), *PACK]
FRAMES = [*SAMPLE, dict(type='CheckedRawFrameDecode'), *PACK]
FLOW_FILES = [*SAMPLE, dict(type='FlowFileDecode'), *PACK]
FLOW = dict(type='CheckedRawframeDataset', modality='Flow', filename_tmpl='{}_{:05d}.jpg')


@pytest.mark.parametrize(
    ('dataset', 'channels'),
    [
        (dict(type='CheckedVideoDataset', pipeline=VIDEO, data_root='none', data_prefix=dict(video='none')), 3),
        (dict(type='CheckedVideoDataset', pipeline=VIDEO, multi_class=True, num_classes=3), 3),
        (dict(type='CheckedRawframeDataset', pipeline=FRAMES), 3),
        (dict(type='CheckedRawframeDataset', pipeline=FRAMES, filename_tmpl='{:03}.jpg', start_index=0), 3),
        (dict(type='CheckedRawframeDataset', pipeline=FRAMES, with_offset=True), 3),
        (dict(FLOW, pipeline=FRAMES), 2),
        (dict(FLOW, pipeline=FLOW_FILES), 2),
    ],
    ids=['video', 'several-labels', 'frames', 'named-frames', 'offset', 'flow', 'flow-files'],
)
def test_every_kind_of_data_set_gives_a_sample(dataset, channels, tmp_path):
    init_default_scope('mmaction')
    built = DATASETS.build(rendered_dataset(dict(dataset, ann_file='none.txt'), tmp_path, 32))
    sample = built[0]
    assert sample['inputs'].shape == (1, channels, 4, 32, 32) and sample['inputs'].float().std() > 1
    assert sample['data_samples'].gt_label.numel() == (3 if dataset.get('multi_class') else 1)


def test_size_is_checked(tmp_path):
    with pytest.raises(ValueError, match='^size must be >= 8, got 7$'):
        rendered_dataset(dict(type='CheckedVideoDataset', pipeline=VIDEO), tmp_path, 7)
