"""Whole videos made of others without encoding anew: turned, cut, with a header that lies, under odd names."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from repflow_mm.testing.video_corpus.formats import BITEXACT

# A display matrix of ISO 14496-12, 16.16 fixed point and 2.30 in the last column, by degrees clockwise.
_MATRICES = {90: (0, 1, 0, -1, 0, 0), 180: (-1, 0, 0, 0, -1, 0), 270: (0, -1, 0, 1, 0, 0)}


@dataclass(frozen=True)
class Alteration:
    """A video made of another.

    Attributes:
        file: Its name.
        source: The file of the format that it is made of.
        alter: ``alter(source, path)`` writes it.
        why: What is odd about it.
        numbers: Which pictures it shows, of the numbers that its source shows.
        turned: Quarter turns counter-clockwise of the pictures before they are encoded, which the metadata takes back.
    """

    file: str
    source: str
    alter: Callable[[Path, Path], None]
    why: str
    numbers: Callable[[tuple[int, ...]], tuple[int, ...]] = tuple
    turned: int = 0


def set_rotation(degrees: int) -> Callable[[Path, Path], None]:
    """Have a player turn the pictures of an mp4 file clockwise, by its display matrix."""

    def alter(source: Path, path: Path) -> None:
        content = bytearray(source.read_bytes())
        # 'tkhd', version and flags, 2 times, id, reserved, duration, 2 reserved, layer, group, volume, reserved: 44.
        at = content.index(b'tkhd') + 44
        a, b, u, c, d, v = _MATRICES[degrees]
        matrix = (a << 16, b << 16, u, c << 16, d << 16, v, 0, 0, 1 << 30)
        struct.pack_into('>9i', content, at, *matrix)
        path.write_bytes(content)

    return alter


def cut(first: int) -> Callable[[Path, Path], None]:
    """Copy the packets from a picture's key frame on into another file, as ``ffmpeg -ss ... -c copy`` does.

    Args:
        first (int): Number of the picture whose time becomes 0. What comes before it has a negative time, which an
            mp4 file turns into an edit list that hides it.
    """

    def alter(source: Path, path: Path) -> None:
        with av.open(str(source)) as container, av.open(str(path), 'w', options=BITEXACT) as copy:
            stream = container.streams.video[0]
            target = copy.add_stream_from_template(stream)
            packets = [packet for packet in container.demux(stream) if packet.size]
            start = sorted(packet.pts for packet in packets)[first]
            key = max(k for k, packet in enumerate(packets) if packet.is_keyframe and packet.pts <= start)
            for packet in packets[key:]:
                packet.pts, packet.dts = packet.pts - start, packet.dts - start
                packet.stream = target
                copy.mux(packet)

    return alter


def lie_in_avi_header(source: Path, path: Path) -> None:
    """Let the header of an avi file claim a thousand frames."""
    content = bytearray(source.read_bytes())
    struct.pack_into('<I', content, content.index(b'avih') + 8 + 16, 1000)
    struct.pack_into('<I', content, content.index(b'strh') + 8 + 32, 1000)
    path.write_bytes(content)


def append_garbage(source: Path, path: Path) -> None:
    """Append bytes that belong to nothing."""
    garbage = np.random.default_rng(0).integers(0, 256, 500, dtype=np.uint8).tobytes()
    path.write_bytes(source.read_bytes() + b'\0\0\x01\xf4free' + garbage[:492])


def copy_file(source: Path, path: Path) -> None:
    """Copy a file as it is, to a name that does not say what it is."""
    path.write_bytes(source.read_bytes())


def change_time_base(source: Path, path: Path) -> None:
    """Copy the packets into a matroska file, which has milliseconds: times are rounded."""
    with av.open(str(source)) as container, av.open(str(path), 'w', format='matroska', options=BITEXACT) as copy:
        stream = container.streams.video[0]
        target = copy.add_stream_from_template(stream)
        for packet in container.demux(stream):
            if packet.size:
                packet.stream = target
                copy.mux(packet)


ALTERATIONS = (
    *(
        Alteration(
            f'h264_turned_{degrees}.mp4',
            f'h264_to_turn_{degrees}.mp4',
            set_rotation(degrees),
            'turned by its metadata',
            turned=degrees // 90,
        )
        for degrees in (90, 180, 270)
    ),
    Alteration('h264_cut.mp4', 'h264_b_frames.mp4', cut(12), 'begins at a later key frame', lambda n: n[12:]),
    Alteration('h264_edit_list.mp4', 'h264_b_frames.mp4', cut(15), 'an edit list hides frames', lambda n: n[15:]),
    Alteration('mpeg4_cut.mp4', 'mpeg4.mp4', cut(12), 'begins at a later key frame', lambda n: n[12:]),
    Alteration('hevc_cut_open_gop.mp4', 'hevc_open_gop.mp4', cut(12), 'cut at an open group', lambda n: n[12:]),
    Alteration('h264_cut_open_gop.mp4', 'h264_open_gop.mp4', cut(12), 'cut at an open group', lambda n: n[12:]),
    Alteration('vp9_cut.webm', 'vp9.webm', cut(24), 'begins at a later key frame', lambda n: n[24:]),
    Alteration('mpeg4_milliseconds.mkv', 'mpeg4_b_frames.avi', change_time_base, 'times of another container'),
    Alteration('mpeg4_wrong_count.avi', 'mpeg4.avi', lie_in_avi_header, 'its header claims 1000 frames'),
    Alteration('h264_with_garbage.mp4', 'h264_b_frames.mp4', append_garbage, 'bytes behind its end'),
    Alteration('h264_without_suffix', 'h264_b_frames.mp4', copy_file, 'no suffix'),
    Alteration('h264_is_no.avi', 'h264_b_frames.mp4', copy_file, 'an mp4 file called avi'),
    Alteration('h264_is_no.m3u', 'h264_b_frames.mp4', copy_file, 'an mp4 file called m3u'),
    Alteration('h264 %03d #1? (2).mp4', 'h264_b_frames.mp4', copy_file, 'a name with signs'),
)
