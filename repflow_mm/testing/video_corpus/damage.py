"""Damage to videos, as disks, networks and downloads do it."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np

Damage = Callable[[bytes, np.random.Generator], bytes]


def mp4_boxes(content: bytes) -> Iterator[tuple[bytes, int, int]]:
    """The outermost boxes of an mp4 file: type, and where their content begins and ends."""
    at = 0
    while at + 8 <= len(content):
        size, kind = struct.unpack_from('>I4s', content, at)
        if size < 8:
            return
        yield kind, at + 8, at + size
        at += size


def payload(content: bytes) -> tuple[int, int]:
    """Where the coded pictures lie: ``mdat`` of an mp4 file, else the file's middle."""
    for kind, start, end in mp4_boxes(content):
        if kind == b'mdat':
            return start, end
    return len(content) // 4, len(content) * 7 // 8


def flip_bytes(number: int) -> Damage:
    """Change some bytes of the last two thirds of the coded pictures."""

    def damage(content: bytes, rng: np.random.Generator) -> bytes:
        flipped = bytearray(content)
        start, end = payload(content)
        for at in rng.integers(start + (end - start) // 3, end, number):
            flipped[at] ^= int(rng.integers(1, 256))
        return bytes(flipped)

    return damage


def blank(content: bytes, rng: np.random.Generator) -> bytes:
    """Let a twentieth of the coded pictures be zero, as a block of a disk that was never written."""
    start, end = payload(content)
    length = max((end - start) // 20, 16)
    at = int(rng.integers(start + (end - start) // 3, end - length))
    return content[:at] + bytes(length) + content[at + length :]


def blank_pictures(content: bytes, rng: np.random.Generator) -> bytes:
    """Let all coded pictures be zero behind a whole index."""
    start, end = payload(content)
    return content[:start] + bytes(end - start) + content[end:]


def truncate(content: bytes, rng: np.random.Generator) -> bytes:
    """Keep what comes before some place in the middle, as a broken download does."""
    return content[: int(len(content) * rng.uniform(0.4, 0.8))]


def keep_header(content: bytes, rng: np.random.Generator) -> bytes:
    """Keep the first 40 bytes."""
    return content[:40]


def insert_bytes(content: bytes, rng: np.random.Generator) -> bytes:
    """Insert a few bytes among the coded pictures: everything behind them is out of place."""
    start, end = payload(content)
    at = int(rng.integers(start + (end - start) // 3, start + (end - start) // 2))
    return content[:at] + rng.integers(0, 256, 37, dtype=np.uint8).tobytes() + content[at:]


# What is left of these can be read in part, with errors, or with other pictures.
DAMAGES: dict[str, Damage] = {
    '3_bytes': flip_bytes(3),
    '10_bytes': flip_bytes(10),
    'blank_block': blank,
    'inserted': insert_bytes,
    'blank_pictures': blank_pictures,
    'truncated': truncate,
    'header_only': keep_header,
}


def no_bytes(rng: np.random.Generator) -> bytes:
    """An empty file."""
    return b''


def noise(rng: np.random.Generator) -> bytes:
    """Random bytes."""
    return rng.integers(0, 256, 5000, dtype=np.uint8).tobytes()


def zeros(rng: np.random.Generator) -> bytes:
    """A file that was made to size and never written."""
    return bytes(5000)


def html(rng: np.random.Generator) -> bytes:
    """What a server says when it has no such file."""
    return b'<!DOCTYPE html>\n<html><head><title>404</title></head><body>Not Found</body></html>\n'


def playlist(rng: np.random.Generator) -> bytes:
    """The names of other files, which a player would open."""
    return b'#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nh264_b_frames.ts\n#EXT-X-ENDLIST\n'


def concatenation(rng: np.random.Generator) -> bytes:
    """FFmpeg's list of files to join."""
    return b"ffconcat version 1.0\nfile 'h264_b_frames.mp4'\n"


# Files that are no videos, by name.
NO_VIDEOS: dict[str, Callable[[np.random.Generator], bytes]] = {
    'empty.mp4': no_bytes,
    'noise.mp4': noise,
    'zeros.mp4': zeros,
    'page.mp4': html,
    'playlist.m3u': playlist,
    'playlist.mp4': playlist,
    'playlist.m3u8': playlist,
    'text_without_suffix': html,
    'concatenation.mp4': concatenation,
}


def write_sound_only(path: Path) -> None:
    """Write a file that has a sound track and no pictures."""
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('aac', rate=16000, layout='mono')
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 16000), np.float32), format='fltp', layout='mono')
        frame.rate, frame.pts = 16000, 0
        for packet in (*stream.encode(frame), *stream.encode(None)):
            container.mux(packet)
