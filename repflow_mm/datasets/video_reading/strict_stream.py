"""The pictures of a file as FFmpeg decodes them, with an error wherever it would conceal damage."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import av

from repflow_mm.compat.versions import check_pyav
from repflow_mm.datasets.video_reading.errors import BadVideoError
from repflow_mm.datasets.video_reading.mp4_fragments import missing_bytes
from repflow_mm.datasets.video_reading.packet_index import MP4, PacketRow, identity
from repflow_mm.datasets.video_reading.sources import VideoSource

check_pyav(av.__version__)

# Names and comments that are no UTF-8 are no damage. PyAV 19 replaces what it cannot read by itself.
OPEN_OPTIONS = {'metadata_errors': 'replace'} if int(av.__version__.split('.')[0]) < 19 else {}
# Checksums, impossible bits and lengths are looked at. Not 'aggressive', which finds fault with Xvid's videos, nor
# 'explode', which ends decoding at what is harmless too.
DECODE_OPTIONS = {'err_detect': 'crccheck+bitstream+buffer'}
# H.264 that begins at a key frame of an open group gives up frames that it never had, of which there may be 16.
HARMLESS_AT_FIRST = ('mmco: unref short failure',)
FIRST_PACKETS = 16
# Of these containers a short file is read to its end when it is opened. Others complain there of what is no damage.
READ_AHEAD = ('matroska,webm', 'flv')
# Too many open files are no fault of the video's.
MACHINE_ERRNOS = (errno.EMFILE, errno.ENFILE)


class StrictStream:
    """The first stream of pictures in a file that are not its cover.

    Args:
        source (VideoSource): The file, which has been checked.

    Raises:
        BadVideoError: If FFmpeg cannot open it, it has no pictures, FFmpeg lacks the decoder, or it is cut off within
            a fragment.
    """

    def __init__(self, source: VideoSource) -> None:
        self.source = source
        self._open()
        self._check_fragments()

    def _open(self) -> None:
        with self._strict(READ_AHEAD):
            self.container = av.open(self.source.file(), **OPEN_OPTIONS)
        pictures = [stream for stream in self.container.streams.video if not _is_cover(stream)]
        if not pictures:
            raise self.bad('the file has no pictures', 'empty')
        self.video = pictures[0]
        if self.video.codec_context is None:
            raise self.bad('FFmpeg finds no pictures that it can decode')
        # A data worker has one thread; messages of other threads would be lost.
        self.video.codec_context.thread_count = 1
        self.video.codec_context.options = DECODE_OPTIONS
        self._has_been_read = False

    def _check_fragments(self) -> None:
        if self.format_name == MP4:
            with self.source.opened() as file:
                missing = missing_bytes(file)
            if missing:
                raise self.bad(f'the file is cut off: its last fragment lacks {missing} bytes')

    def __del__(self) -> None:
        # PyAV's containers and streams refer to each other, and would keep the file open until they are collected.
        if hasattr(self, 'container'):
            self.container.close()

    @property
    def format_name(self) -> str:
        """FFmpeg's name of the container."""
        return self.container.format.name

    @property
    def codec_name(self) -> str:
        """FFmpeg's name of the codec."""
        return self.video.codec_context.codec.canonical_name

    def rewind(self) -> None:
        """Go back to the file's beginning, with a decoder that knows of nothing."""
        if self._has_been_read:
            self.container.close()
            self._open()

    def seek(self, time: int) -> None:
        """Go to the last key frame that the container finds at or before a time, in the stream's units."""
        with self._errors():
            self.container.seek(time, stream=self.video, backward=True, any_frame=False)

    def packets(self) -> Iterator[av.Packet]:
        """Read packets from here to the end, without decoding them.

        Raises:
            BadVideoError: If the file is damaged, as soon as that shows.
        """
        self._has_been_read = True
        packets = self.container.demux(self.video)
        while True:
            with self._strict((self.format_name,)):
                packet = next(packets, None)
            if packet is None:
                return
            self._check_packet(packet)
            if packet.size:  # an empty one stands for a frame that was left out, or the end
                yield packet

    def packet_rows(self) -> list[PacketRow]:
        """What the index needs of every packet; see :meth:`packets`."""
        self._has_been_read = True
        rows = []
        with self._strict((self.format_name,)):
            for packet in self.container.demux(self.video):
                self._check_packet(packet)
                if packet.size:
                    rows.append(PacketRow(identity(packet), packet.is_keyframe, packet.is_discard))
        return rows

    def _check_packet(self, packet: av.Packet) -> None:
        if packet.is_corrupt:
            raise self.bad(f'the packet at byte {packet.pos} is incomplete')

    def decode(self, packets: Iterable[av.Packet], right_from: int | None = None) -> Iterator[av.VideoFrame]:
        """Decode packets.

        Args:
            packets (Iterable): The packets, in their order, from a key frame on.
            right_from (int, optional): Time of that key frame, where packets precede it that were not read: what is
                to be shown before it cannot be right, and errors in it are none. Defaults to None.

        Yields:
            av.VideoFrame: The frames, in the order of their times.

        Raises:
            BadVideoError: If a frame is damaged, as soon as that shows.
        """
        for number, packet in enumerate(packets):
            harmless = HARMLESS_AT_FIRST if number < FIRST_PACKETS else ()
            if right_from is not None and packet.pts < right_from:
                yield from self._decode_leniently(packet)
            else:
                yield from self._decode_strictly(packet, right_from, harmless)
        yield from self._decode_strictly(None, right_from)

    def _decode_strictly(
        self, packet: av.Packet | None, right_from: int | None, harmless: tuple[str, ...] = ()
    ) -> list[av.VideoFrame]:
        with self._strict((self.video.codec_context.name, self.codec_name), harmless):
            frames = self.video.codec_context.decode(packet)
        for frame in frames:
            if frame.is_corrupt and (right_from is None or frame.pts is None or frame.pts >= right_from):
                raise self.bad(f'the frame at {frame.time} s is damaged')
        return frames

    def _decode_leniently(self, packet: av.Packet) -> list[av.VideoFrame]:
        with ffmpeg_messages():
            try:
                return self.video.codec_context.decode(packet)
            except av.FFmpegError:
                return []

    @contextmanager
    def _strict(self, speakers: tuple[str, ...], harmless: tuple[str, ...] = ()) -> Iterator[None]:
        """Take FFmpeg's errors for the video's, and error messages of these parts of it too, but for harmless ones."""
        with self._errors() as messages:
            yield
        for _, name, message in messages:
            if name in speakers and message.strip() not in harmless:
                raise self.bad(f'{name}: {message.strip()}')

    @contextmanager
    def _errors(self) -> Iterator[list[tuple[int, str, str]]]:
        """Take FFmpeg's errors for the video's; what it says besides is collected."""
        with ffmpeg_messages() as messages:
            try:
                yield messages
            except BadVideoError:
                raise
            except (av.FFmpegError, OSError, ValueError, MemoryError) as error:
                if getattr(error, 'errno', None) in MACHINE_ERRNOS:
                    raise
                raise self.bad(_explained(error, messages)) from error

    def bad(self, message: str, status: str = 'corrupt') -> BadVideoError:
        """An error that names the video."""
        return BadVideoError(message, self.source.path, status)


@contextmanager
def ffmpeg_messages() -> Iterator[list[tuple[int, str, str]]]:
    """Collect FFmpeg's error messages of this thread: level, speaker and text of each."""
    with _LOGGING, av.logging.Capture(local=True) as messages:
        yield messages


class _ErrorLogging:
    """FFmpeg's logging of errors, which is set for the whole process: on as long as a thread is within.

    A message that is told once for many would be lost, and appear in another video's; so none is left out.
    """

    def __init__(self) -> None:
        self.lock, self.users, self.before = threading.Lock(), 0, (None, True)

    def __enter__(self) -> None:
        with self.lock:
            if not self.users:
                self.before = (av.logging.get_level(), av.logging.get_skip_repeated())
                av.logging.set_skip_repeated(False)
                av.logging.set_level(av.logging.ERROR)
            self.users += 1

    def __exit__(self, *_) -> None:
        with self.lock:
            self.users -= 1
            if not self.users:
                self._restore()

    def forget_threads(self) -> None:
        """Have no thread within: a process that is forked from theirs has none of them."""
        if self.users:
            self._restore()
        self.lock, self.users = threading.Lock(), 0

    def _restore(self) -> None:
        level, skips_repeated = self.before
        av.logging.set_level(level)
        av.logging.set_skip_repeated(skips_repeated)


_LOGGING = _ErrorLogging()
# Data workers are forked while another thread may hold the lock, or be within.
os.register_at_fork(after_in_child=_LOGGING.forget_threads)


def _is_cover(stream: av.VideoStream) -> bool:
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def _explained(error: Exception, messages: list[tuple[int, str, str]]) -> str:
    text = getattr(error, 'strerror', None) or str(error) or type(error).__name__
    said = [message.strip() for _, _, message in messages]
    return f'{text} ({said[0]})' if said else text
