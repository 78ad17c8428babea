"""Fragmented mp4 files, of which FFmpeg reads what is there and says nothing of the rest."""

from __future__ import annotations

import os
import struct
from typing import BinaryIO

# The boxes of a fragment: what it holds, and the coded pictures.
FRAGMENT_BOXES = (b'moof', b'mdat')


def missing_bytes(file: BinaryIO) -> int:
    """How many bytes the last box of a fragmented mp4 file lacks; 0 of a whole file, and of one without fragments.

    A box begins with its size, 4 bytes, and its type (ISO 14496-12, Section 4.2); a size of 1 stands for one of 8 bytes
    behind the type, a size of 0 for all that is left of the file.

    Args:
        file (BinaryIO): The file; it is left at another place.
    """
    end, start, is_fragmented = file.seek(0, os.SEEK_END), 0, False
    while start < end:
        file.seek(start)
        header = file.read(16)
        size, kind = struct.unpack('>I4s', header[:8].ljust(8, b'\0'))
        if size == 1:
            size = int.from_bytes(header[8:], 'big')
        if size < 8:
            return 0
        is_fragmented = is_fragmented or kind == b'moof'
        start += size
        if start > end and kind not in FRAGMENT_BOXES:
            return 0  # bytes behind the last box that are none
    return start - end if is_fragmented else 0
