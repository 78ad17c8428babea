"""Which frames a file has and where decoding may begin, from its packets alone."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import av

# FFmpeg's names of containers that know the time of every packet. In others, such as avi and ts, times are guessed or
# repeat.
MP4 = 'mov,mp4,m4a,3gp,3g2,mj2'
SEEKABLE_FORMATS = (MP4, 'matroska,webm')
# Codecs of which a packet is a frame, and whose key frames need nothing from before them.
SEEKABLE_CODECS = ('h264', 'hevc', 'vp9', 'av1', 'mpeg4', 'mjpeg')
# A packet of MPEG-4 that says "as before", of which no frame comes, has 8 bytes at most.
SHORTEST_MPEG4_FRAME = 9


class PacketRow(NamedTuple):
    """What the index needs of a packet.

    Attributes:
        identity: See :func:`identity`.
        is_key: Whether it is marked as a key frame.
        is_hidden: Whether its frame is decoded and not shown, as an edit list says.
    """

    identity: tuple[int | None, int]
    is_key: bool
    is_hidden: bool


@dataclass(frozen=True)
class KeyFrame:
    """A key frame.

    Attributes:
        number: Its place among the frames.
        packet: What tells its packet from others: when it is shown, and its bytes.
    """

    number: int
    packet: tuple[int, int]

    @property
    def time(self) -> int:
        """When it is shown, in the stream's units."""
        return self.packet[0]


class PacketIndex:
    """The times of a video's frames, and its key frames.

    Args:
        packets (Sequence[PacketRow]): All packets of the stream, of a container and codec out of the lists above.
        codec_name (str): FFmpeg's name of the codec.

    Attributes:
        times: When each frame is shown, ascending, in the stream's units.
        keys: The key frames, ascending.
        problem: Why frames cannot be found by their times; empty if they can.
    """

    def __init__(self, packets: Sequence[PacketRow], codec_name: str) -> None:
        self.times: Sequence[int] = ()
        self.keys: Sequence[KeyFrame] = ()
        self.problem = _problem(packets, codec_name)
        if self.problem:
            return
        self.times = sorted(packet.identity[0] for packet in packets if not packet.is_hidden)
        numbers = {time: number for number, time in enumerate(self.times)}
        shown_keys = (packet.identity for packet in packets if packet.is_key and not packet.is_hidden)
        self.keys = sorted((KeyFrame(numbers[key[0]], key) for key in shown_keys), key=lambda key: key.number)

    def key_before(self, number: int) -> KeyFrame | None:
        """The last key frame at or before a frame; None where decoding has to begin with the first packet."""
        place = bisect_right(self.keys, number, key=lambda key: key.number)
        return self.keys[place - 1] if place else None


def identity(packet: av.Packet) -> tuple[int | None, int]:
    """What tells a packet from the others of its stream; times of decoding are guessed anew after a seek."""
    return packet.pts, packet.size


def unseekable_reason(format_name: str, codec_name: str) -> str:
    """Why a container or a codec is read from the start; empty if it need not be."""
    if format_name not in SEEKABLE_FORMATS:
        return f'{format_name} files do not tell the time of every frame'
    if codec_name not in SEEKABLE_CODECS:
        return f'packets of {codec_name} may be no frames'
    return ''


def _problem(packets: Sequence[PacketRow], codec_name: str) -> str:
    times = [packet.identity[0] for packet in packets]
    if None in times:
        return 'a packet has no time'
    if len(set(times)) < len(times):
        return 'two frames have the same time'
    if not packets or not packets[0].is_key:
        return 'the first packet is no key frame'
    if any(time < times[0] for time, packet in zip(times, packets) if not packet.is_hidden):
        return 'frames are to be shown before the first key frame'
    if codec_name == 'mpeg4' and any(packet.identity[1] < SHORTEST_MPEG4_FRAME for packet in packets):
        return 'a packet may be no frame'
    return ''
