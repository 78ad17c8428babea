"""Video decoding with errors that name the video."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
from mmaction.datasets.transforms import DecordDecode, DecordInit
from mmaction.registry import TRANSFORMS

from repflow_mm.datasets.bad_data import BadDataError, MissingDataError
from repflow_mm.datasets.video_reading import decord_errors, decord_message, without_padding

if TYPE_CHECKING:
    from decord import VideoReader


@TRANSFORMS.register_module()
class CheckedDecordInit(DecordInit):
    """MMAction2's DecordInit; a missing or corrupt video raises an error that names it.

    Raises:
        MissingDataError: If the video does not exist.
        BadDataError: If decord cannot open it or finds no frame.
    """

    def transform(self, results: dict) -> dict:
        """Open ``results['filename']`` and add ``video_reader``, ``total_frames`` and ``avg_fps``."""
        filename = results['filename']
        try:
            results = super().transform(results)
        except FileNotFoundError as error:
            raise MissingDataError(f'video {filename} does not exist', filename) from error
        except decord_errors() as error:
            raise BadDataError(
                f'video {filename} ({_size(filename)}) cannot be opened: {decord_message(error)}', filename
            ) from error
        if not results['total_frames']:
            raise BadDataError(f'video {filename} ({_size(filename)}) has no frames', filename, 'empty')
        return results


@TRANSFORMS.register_module()
class CheckedDecordDecode(DecordDecode):
    """MMAction2's DecordDecode; a corrupt video raises an error that names it.

    Videos of the widths that decord misreads, which fail upstream, are decoded too.

    Raises:
        BadDataError: If decord cannot decode a frame.
    """

    def transform(self, results: dict) -> dict:
        """Decode ``results['frame_inds']`` and add ``imgs``, ``original_shape`` and ``img_shape``."""
        filename = results['filename']
        try:
            return super().transform(results)
        except decord_errors() as error:
            raise BadDataError(f'video {filename} cannot be decoded: {decord_message(error)}', filename) from error

    def _decord_load_frames(self, container: VideoReader, frame_inds: np.ndarray) -> list[np.ndarray]:
        try:
            return super()._decord_load_frames(container, frame_inds)
        except decord_errors():
            frames = [container[int(index)].asnumpy() for index in frame_inds]
            if frames[0].shape[2] == 3:
                raise
            return [without_padding(frame) for frame in frames]


def _size(filename: str) -> str:
    return f'{os.path.getsize(filename)} bytes' if os.path.isfile(filename) else 'size unknown'
