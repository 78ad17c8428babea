"""Reading of videos: the one way that check, extraction, training, testing and inference take.

A file a decoder, one interface (:class:`VideoReader`): frames are those of decoding from the start, whoever decodes.
"""

from repflow_mm.datasets.video_reading.check import GOOD_STATUSES, check_part, check_video
from repflow_mm.datasets.video_reading.decoders import (
    DECODER_VARIABLE,
    DECODERS,
    chosen_decoder,
    open_video,
    read_frames,
    unusable_reason,
)
from repflow_mm.datasets.video_reading.errors import BadVideoError, MissingVideoError
from repflow_mm.datasets.video_reading.reader import VideoReader

__all__ = [
    'DECODERS',
    'DECODER_VARIABLE',
    'GOOD_STATUSES',
    'BadVideoError',
    'MissingVideoError',
    'VideoReader',
    'check_part',
    'check_video',
    'chosen_decoder',
    'open_video',
    'read_frames',
    'unusable_reason',
]
