import pytest

import repflow_mm.registration  # noqa: F401
from repflow_mm.apis.preflight_pipeline import check_decoding

RGB = [dict(type='SampleFrames'), dict(type='DecordDecode')]
FLOW = [dict(type='SampleFrames'), dict(type='CheckedRawFrameDecode')]


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
