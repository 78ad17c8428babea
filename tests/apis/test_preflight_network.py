import pytest
from mmengine.config import Config

import repflow_mm.registration  # noqa: F401
from repflow_mm.apis.preflight_network import check_checkpointing, check_decoding

RGB = [dict(type='SampleFrames'), dict(type='DecordDecode')]
FLOW = [dict(type='SampleFrames'), dict(type='CheckedRawFrameDecode')]


def config(kind='RepFlowResNet', depth=50, **settings):
    return Config(dict(model=dict(backbone=dict(type=kind, depth=depth, with_cp=True)), **settings))


def test_checkpointing_where_it_works():
    check_checkpointing(Config(dict()))
    check_checkpointing(config())
    check_checkpointing(config(depth=18, kind='ResNet3d'))
    check_checkpointing(config(launcher='pytorch'))
    check_checkpointing(config(find_unused_parameters=True))


@pytest.mark.parametrize('depth', [18, 34])
def test_checkpointing_of_basic_blocks(depth):
    message = rf'^backbone\.with_cp=True needs bottleneck blocks, that is depth 50, 101 or 152, got {depth}$'
    with pytest.raises(ValueError, match=message):
        check_checkpointing(config(depth=depth))
    cfg = config(depth=depth)
    cfg.model.backbone = dict(type='WithFlow', backbone=dict(cfg.model.backbone, type='ResNet'))
    with pytest.raises(ValueError, match=message):
        check_checkpointing(cfg)


def test_checkpointing_with_unused_parameters_in_several_processes():
    with pytest.raises(
        ValueError, match='with_cp=True and find_unused_parameters=True do not go together in a distrib'
    ):
        check_checkpointing(config(launcher='slurm', find_unused_parameters=True))


def test_pipelines_that_read_what_the_dataset_gives():
    check_decoding(dict(type='CheckedVideoDataset', pipeline=RGB), 'train')
    check_decoding(dict(type='CheckedRawframeDataset', pipeline=FLOW), 'train')
    check_decoding(dict(type='RawframeDataset', pipeline=[dict(type='FlowFileDecode')]), 'train')
    check_decoding(dict(type='PoseDataset', pipeline=[dict(type='PoseDecode')]), 'train')


def test_flow_pipeline_that_is_given_videos():
    message = (
        r'^val: VideoDataset gives videos, which CheckedRawFrameDecode does not read: flow is read from the folders'
    )
    with pytest.raises(ValueError, match=message):
        check_decoding(dict(type='VideoDataset', pipeline=FLOW), 'val')


def test_video_pipeline_that_is_given_folders_of_frames():
    message = (
        r'^train: CheckedRawframeDataset gives folders of frames, which DecordDecode does not read: take RawFrameDec'
    )
    with pytest.raises(ValueError, match=message):
        check_decoding(dict(type='CheckedRawframeDataset', pipeline=RGB), 'train')
