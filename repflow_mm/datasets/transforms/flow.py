"""Decoding and flips of optical flow frames: elements (H, W, 2) of ``imgs``, uint8, x and y last.

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
from mmaction.datasets.transforms import Flip, RawFrameDecode
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform
from mmengine.fileio import FileClient

from repflow_mm.datasets.flow.frames import split_flow_image
from repflow_mm.datasets.transforms.decoding import CheckedDecordDecode, CheckedDecordInit

JPEG_SUFFIXES = ('.jpg', '.jpeg')
JPEG_START, JPEG_END = b'\xff\xd8', b'\xff\xd9'


class DamagedImageError(ValueError):
    """An image file that cannot be decoded."""


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

    Raises:
        FileNotFoundError: If an image does not exist.
        ValueError: If it is empty, cut off or no image, or has another size than its y or x image.
    """

    def transform(self, results: dict) -> dict:
        """Read the images of ``results['frame_inds']`` and add ``imgs``, ``original_shape`` and ``img_shape``."""
        if not isinstance(self.file_client, _CheckedFiles):
            self.file_client = _CheckedFiles(FileClient(self.io_backend, **self.kwargs))
        try:
            results = super().transform(results)
        except DamagedImageError:
            raise
        except (ValueError, cv2.error) as error:
            raise DamagedImageError(f'image {self.file_client.latest} cannot be decoded: {error}') from error
        if any(img is None or img.dtype != np.uint8 for img in results['imgs']):
            raise DamagedImageError(f'an image in {results["frame_dir"]} cannot be decoded')
        return results


class _CheckedFiles:
    """A file client that looks at the first and last bytes of JPEG files: OpenCV decodes what is cut off."""

    def __init__(self, client: FileClient) -> None:
        self.client, self.latest = client, ''

    def get(self, path: str) -> bytes:
        self.latest = path
        try:
            content = self.client.get(path)
        except FileNotFoundError as error:
            raise FileNotFoundError(f'image {path} does not exist') from error
        if not content:
            raise DamagedImageError(f'image {path} is empty')
        if osp.splitext(path)[1].lower() in JPEG_SUFFIXES:
            if not content.startswith(JPEG_START):
                raise DamagedImageError(f'image {path} ({len(content)} bytes) is no JPEG file')
            if not content.rstrip(b'\0').endswith(JPEG_END):
                raise DamagedImageError(f'image {path} ({len(content)} bytes) is cut off')
        return content


@TRANSFORMS.register_module()
class FlowFileDecode(BaseTransform):
    """Decode flow from the files that ``extract_flow.py --format mp4`` writes; in place of RawFrameDecode.

    Takes the results of MMAction2's ``RawframeDataset(modality='Flow')``, whose ``frame_dir`` names the file.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If it cannot be decoded, or has fewer flows than ``total_frames``.
    """

    def __init__(self) -> None:
        self.open, self.decode = CheckedDecordInit(), CheckedDecordDecode()

    def transform(self, results: dict) -> dict:
        """Decode ``results['frame_inds']`` and add ``imgs``, ``original_shape`` and ``img_shape``.

        Indices count from ``results['start_index']``, as SampleFrames gives them; ``offset`` is added where there is.
        """
        file = results['frame_dir']
        video = self.open(dict(filename=file))
        offset = results.get('offset', 0)
        if video['total_frames'] < offset + results['total_frames']:
            raise ValueError(
                f'flow file {file} has {video["total_frames"]} flows, fewer than the list says: '
                f'{offset + results["total_frames"]}'
            )
        video['frame_inds'] = np.asarray(results['frame_inds']).reshape(-1) - results['start_index'] + offset
        results['imgs'] = [split_flow_image(image) for image in self.decode(video)['imgs']]
        results['original_shape'] = results['img_shape'] = results['imgs'][0].shape[:2]
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}()'
