"""Reading of videos in pipelines, with errors that name the video."""

from __future__ import annotations

import numpy as np
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform
from mmengine.fileio import FileClient

from repflow_mm.datasets.video_reading import BadVideoError, MissingVideoError, chosen_decoder, open_video


@TRANSFORMS.register_module(name=['VideoInit', 'CheckedDecordInit'])
class VideoInit(BaseTransform):
    """Open the video of a sample; in place of MMAction2's DecordInit, PyAVInit and so on.

    ``CheckedDecordInit``, its name in version 0.1, is the same.

    Args:
        decoder (str, optional): ``'pyav'``, ``'torchcodec'``, ``'decord'`` or ``'opencv'``. Defaults to None: what the
            environment variable ``REPFLOW_MM_DECODER`` names, or PyAV.
        io_backend (str): Where files are, see MMEngine's FileClient. Defaults to ``'disk'``.
        **backend: Arguments of another backend than ``'disk'``.

    Raises:
        ValueError: If there is no such decoder; when it transforms, a
            :class:`repflow_mm.datasets.video_reading.BadVideoError` if the video cannot be read, or ends before the
            part of it that is asked for does.
        FileNotFoundError: If the video does not exist.
    """

    def __init__(self, decoder: str | None = None, io_backend: str = 'disk', **backend) -> None:
        chosen_decoder(decoder)
        self.decoder, self.io_backend, self.backend = decoder, io_backend, backend
        self.client = None

    def transform(self, results: dict) -> dict:
        """Open ``results['filename']`` and add ``video_reader``, ``total_frames`` and ``avg_fps``.

        A sample with an ``offset`` is a part of the video, and its ``total_frames`` are known. Where a video is decoded
        from its start, what comes after the part is not read.
        """
        reader = open_video(results['filename'], self.decoder, self._content(results['filename']))
        results['video_reader'] = reader
        if 'offset' in results:
            reader.limit_to_part(results['offset'], results['total_frames'])
        else:
            results['total_frames'] = len(reader)
        results['avg_fps'] = reader.average_fps
        return results

    def _content(self, filename: str) -> bytes | None:
        """The bytes of a video that is not in a file."""
        if self.io_backend == 'disk':
            return None
        if self.client is None:
            self.client = FileClient(self.io_backend, **self.backend)
        try:
            return self.client.get(filename)
        except FileNotFoundError:
            raise MissingVideoError('the file does not exist', filename) from None

    def __repr__(self) -> str:
        return f'{type(self).__name__}(decoder={self.decoder!r}, io_backend={self.io_backend!r})'


@TRANSFORMS.register_module(name=['VideoDecode', 'CheckedDecordDecode'])
class VideoDecode(BaseTransform):
    """Decode the frames of a sample's clips; in place of MMAction2's DecordDecode, PyAVDecode and so on.

    ``CheckedDecordDecode``, its name in version 0.1, is the same.

    Raises:
        ValueError: A :class:`repflow_mm.datasets.video_reading.BadVideoError`, if a frame cannot be decoded.
    """

    def transform(self, results: dict) -> dict:
        """Decode ``results['frame_inds']`` and add ``imgs``, ``original_shape`` and ``img_shape``; closes the video."""
        reader = results.pop('video_reader')
        # As in RawFrameDecode, the frames of a part are counted from its first one.
        indices = np.asarray(results['frame_inds']).reshape(-1) + results.get('offset', 0)
        images = reader.get_frames(indices.tolist())
        if not images:
            raise BadVideoError('no frames were asked for', results['filename'], 'empty')
        results['imgs'] = images
        results['original_shape'] = results['img_shape'] = images[0].shape[:2]
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}()'
