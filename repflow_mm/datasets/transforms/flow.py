"""Optical flow in pipelines: computed of the frames, or read from disk.

Flow from disk are elements (H, W, 2) of ``imgs``, uint8, x and y last.

MMAction2's SampleFrames, resizing and cropping transforms, FormatShape and PackActionInputs serve flow frames as they
are: ``FormatShape('NCHW')`` gives clips (M, 2 * clip_len, H, W) with channels x, y, x, y, ..., and
``FormatShape('NCTHW')`` gives (M, 2, clip_len, H, W).

NOTE: Resize and RandomResizedCrop change the size of the frames but not the displacements in them, which remain in
pixels of the frames that were extracted; that is usual for flow streams.
"""

from __future__ import annotations

import os.path as osp

import cv2
import numpy as np
import torch
from mmaction.datasets.transforms import Flip, RawFrameDecode
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform
from mmengine.fileio import FileClient

from repflow_mm.classical_flow import FlowStream
from repflow_mm.datasets.bad_data import BadDataError, MissingDataError, named_file_errors
from repflow_mm.datasets.flow.frames import split_flow_image
from repflow_mm.datasets.transforms.decoding import VideoDecode, VideoInit

JPEG_SUFFIXES = ('.jpg', '.jpeg')
JPEG_START, JPEG_END = b'\xff\xd8', b'\xff\xd9'


@TRANSFORMS.register_module()
class FlowFlip(Flip):
    """MMAction2's horizontal Flip, right for flow frames: mirrors every frame and inverts x in each, y in none.

    NOTE: upstream's Flip takes ``imgs`` for x and y images in turn and inverts both components of every second frame.

    Takes frames (H, W, C) of modality 'RGB' too, which are mirrored only.

    Args:
        flip_ratio (float): Probability of a flip. Defaults to 0.5.
        flip_label_map (dict[int, int], optional): Labels that a flip changes, such as those of left and right.
            Defaults to None.

    Raises:
        ValueError: If the frames of modality 'Flow' are not (H, W, 2), uint8.
    """

    def __init__(self, flip_ratio: float = 0.5, flip_label_map: dict[int, int] | None = None) -> None:
        super().__init__(flip_ratio, flip_label_map=flip_label_map)

    def _flip_imgs(self, imgs: list[np.ndarray], modality: str) -> list[np.ndarray]:
        flipped = [np.ascontiguousarray(img[:, ::-1]) for img in imgs]
        if modality == 'Flow':
            for img in flipped:
                if img.ndim != 3 or img.shape[2] != 2 or img.dtype != np.uint8:
                    raise ValueError(f'FlowFlip: flow frames must be (H, W, 2), uint8, got {img.shape}, {img.dtype}')
                img[..., 0] = 255 - img[..., 0]
        return flipped


@TRANSFORMS.register_module()
class CheckedRawFrameDecode(RawFrameDecode):
    """MMAction2's RawFrameDecode; a missing or damaged image raises an error that names it.

    Of a sample of :class:`repflow_mm.datasets.CheckedRawframeDataset` the last image that its line promises has to be
    there too, whichever are read: a ``total_frames`` that is too large shows at once, and not by chance.

    Raises:
        MissingDataError: If an image does not exist.
        BadDataError: If it is empty, cut off or no image, has another size than its y or x image, or ``total_frames``
            is more than there are.
    """

    def transform(self, results: dict) -> dict:
        """Read the images of ``results['frame_inds']`` and add ``imgs``, ``original_shape`` and ``img_shape``."""
        if not isinstance(self.file_client, _CheckedFiles):
            self.file_client = _CheckedFiles(FileClient(self.io_backend, **self.kwargs))
        try:
            results = super().transform(results)
        except BadDataError:
            raise
        except (ValueError, cv2.error) as error:
            latest = self.file_client.latest
            raise BadDataError(f'image {latest} cannot be decoded: {error}', latest) from error
        if any(img is None or img.dtype != np.uint8 for img in results['imgs']):
            raise BadDataError(f'an image in {results["frame_dir"]} cannot be decoded', results['frame_dir'])
        if self.io_backend == 'disk':
            check_last_image(results)
        return results


def check_last_image(results: dict) -> None:
    """Raise BadDataError unless the last image that a line of a list of frames promises is there.

    Args:
        results (dict): ``frame_dir``, ``total_frames``, ``filename_tmpl``, ``modality``, ``start_index`` and, where the
            line has one, ``offset``. Nothing is checked without ``total_frames`` and ``start_index``.
    """
    if not {'total_frames', 'start_index'} <= results.keys():
        return
    folder, total = results['frame_dir'], results['total_frames']
    number = results['start_index'] + total - 1 + results.get('offset', 0)
    if not osp.isdir(folder):
        raise MissingDataError(f'folder of frames {folder} does not exist', folder)
    numbers = [('x', number), ('y', number)] if results['modality'] == 'Flow' else [(number,)]
    for fields in numbers:
        image = osp.join(folder, results['filename_tmpl'].format(*fields))
        if not osp.isfile(image):
            raise BadDataError(f'total_frames is {total}, but the last image {image} does not exist', folder, 'short')


class _CheckedFiles:
    """A file client that looks at the first and last bytes of JPEG files: OpenCV decodes what is cut off."""

    def __init__(self, client: FileClient) -> None:
        self.client, self.latest = client, ''

    def get(self, path: str) -> bytes:
        self.latest = path
        with named_file_errors(path, 'image'):
            content = self.client.get(path)
        if not content:
            raise BadDataError(f'image {path} is empty', path, 'empty')
        if osp.splitext(path)[1].lower() in JPEG_SUFFIXES:
            if not content.startswith(JPEG_START):
                raise BadDataError(f'image {path} ({len(content)} bytes) is no JPEG file', path)
            if not content.rstrip(b'\0').endswith(JPEG_END):
                raise BadDataError(f'image {path} ({len(content)} bytes) is cut off', path)
        return content


@TRANSFORMS.register_module()
class FlowFileDecode(BaseTransform):
    """Decode flow from the files that ``extract_flow.py --format mp4`` writes; in place of RawFrameDecode.

    Takes the results of MMAction2's ``RawframeDataset(modality='Flow')``, whose ``frame_dir`` names the file.

    Raises:
        MissingDataError: If the file does not exist.
        BadDataError: If it cannot be decoded, or has fewer flows than ``total_frames``.
    """

    def __init__(self) -> None:
        self.open, self.decode = VideoInit(), VideoDecode()

    def transform(self, results: dict) -> dict:
        """Decode ``results['frame_inds']`` and add ``imgs``, ``original_shape`` and ``img_shape``.

        Indices count from ``results['start_index']``, as SampleFrames gives them; ``offset`` is added where there is.
        """
        file = results['frame_dir']
        video = self.open(dict(filename=file))
        offset = results.get('offset', 0)
        if video['total_frames'] < offset + results['total_frames']:
            raise BadDataError(
                f'flow file {file} has {video["total_frames"]} flows, fewer than the list says: '
                f'{offset + results["total_frames"]}',
                file,
                'short',
            )
        video['frame_inds'] = np.asarray(results['frame_inds']).reshape(-1) - results['start_index'] + offset
        results['imgs'] = [split_flow_image(image) for image in self.decode(video)['imgs']]
        results['original_shape'] = results['img_shape'] = results['imgs'][0].shape[:2]
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}()'


@TRANSFORMS.register_module()
class ComputeFlow(BaseTransform):
    """Classical flow of a clip in place of its frames, computed in the data workers: nothing of it is on disk.

    Belongs directly before ``FormatShape('NCTHW')``, behind whatever resizes, crops and flips the frames: flow is that
    of the frames as they come, in their pixels; mirrored frames give mirrored flow by themselves, so that a plain
    ``Flip`` is the right one. Spatial transforms behind it would be wrong: they know nothing of displacements.
    ``ActionDataPreprocessor(format_shape='NCTHW')`` without mean and std goes with it; the network then sees what
    :class:`repflow_mm.models.FlowDataPreprocessor` would give it. Clips, views and crops may be as many as the pipeline
    makes.

    A data worker has one thread, which computes all flow of a sample at once: a training that waits for its data gets
    faster with ``num_workers``.

    Args:
        **stream: Arguments of :class:`repflow_mm.classical_flow.FlowStream`: ``bound``, ``num_flows``,
            ``stack_length``, ``method``, ``parameters`` and ``max_pairs``.

    Raises:
        TypeError: If an argument is of the wrong type, or frames are not uint8.
        ValueError: If an argument is out of range, frames are not (H, W, 3), or a clip is too short.
    """

    def __init__(self, **stream) -> None:
        self.stream = FlowStream(**stream)

    @property
    def out_channels(self) -> int:
        """Channels that a backbone behind it has to take."""
        return self.stream.out_channels

    def transform(self, results: dict) -> dict:
        """Replace ``imgs``, frames (H, W, 3), uint8, red, green and blue, by flows (H, W, C), float32 in [-1, 1].

        ``clip_len`` becomes the number of flows of a clip, and ``modality`` ``'Flow'``.
        """
        frames = torch.from_numpy(np.stack(results['imgs']))  # (B*T, H, W, 3)
        if frames.ndim != 4 or frames.shape[3] != 3:
            raise ValueError(f'ComputeFlow: frames must be (H, W, 3), RGB, got {tuple(frames.shape[1:])}')
        clips = frames.unflatten(0, (-1, results['clip_len'])).permute(0, 4, 1, 2, 3)  # (B, 3, T, H, W)
        flows = self.stream(clips)  # (B, C, T', H, W)
        results['clip_len'] = flows.shape[2]
        results['modality'] = 'Flow'
        images = flows.permute(0, 2, 3, 4, 1).flatten(0, 1).contiguous()  # (B, T', H, W, C) -> (B*T', H, W, C)
        results['imgs'] = list(images.numpy())
        return results

    def __repr__(self) -> str:
        return repr(self.stream).replace('FlowStream', type(self).__name__, 1)
