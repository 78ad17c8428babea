import errno
import pickle

import pytest

from repflow_mm.datasets.video_reading import BadVideoError, MissingVideoError
from repflow_mm.datasets.video_reading.sources import VideoSource


def check(tmp_path, content):
    path = tmp_path / 'file.mp4'
    path.write_bytes(content)
    VideoSource(str(path)).check()


@pytest.mark.parametrize(
    'content',
    [
        b'hello\n',
        'Größe\t1\r\n'.encode() * 300,
        b'#EXTM3U\n/etc/passwd\n' + bytes(2000),
        b'\xef\xbb\xbf \nffconcat version 1.0\0',
        ('a' + 'ö' * 600).encode(),  # cut within a letter
    ],
)
def test_text_and_playlists_are_no_videos(tmp_path, content):
    with pytest.raises(BadVideoError, match=r'file\.mp4 \(\d+ bytes\) cannot be read: the file is text, which begins'):
        check(tmp_path, content)


@pytest.mark.parametrize('content', [b'\0\0\0\x20ftypisom', b'RIFF\xff\xff\xff\xff', b'\x47\x40\x11\x10' * 300])
def test_other_bytes_may_be_a_video(tmp_path, content):
    check(tmp_path, content)


def test_files_that_cannot_be_opened(tmp_path, monkeypatch):
    with pytest.raises(MissingVideoError, match='video .*none.mp4 does not exist') as error:
        VideoSource(str(tmp_path / 'none.mp4')).check()
    assert isinstance(error.value, FileNotFoundError) and error.value.status == 'missing'
    with pytest.raises(BadVideoError, match='cannot be read: Is a directory') as error:
        VideoSource(str(tmp_path)).check()
    assert error.value.status == 'unreadable'

    def no_more_files(*arguments):
        raise OSError(errno.EMFILE, 'Too many open files')

    monkeypatch.setattr('builtins.open', no_more_files)
    with pytest.raises(OSError, match='Too many open files') as error:
        VideoSource('any.mp4').check()
    assert not isinstance(error.value, BadVideoError)


def test_errors_go_through_processes():
    for kind in (BadVideoError, MissingVideoError):
        error = kind('what is wrong', 'a.mp4')
        again = pickle.loads(pickle.dumps(error))
        assert (again.status, again.message, again.path, str(again)) == (
            error.status,
            'what is wrong',
            'a.mp4',
            str(error),
        )
        # A data loader makes a worker's error anew from its text.
        assert str(kind('the whole text')) == 'the whole text'
