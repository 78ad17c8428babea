import errno
import os
import pickle

import pytest

from repflow_mm.datasets.bad_data import BadDataError, MissingDataError, named_file_errors


@pytest.mark.parametrize(
    'error', [BadDataError('video a.mp4 is empty', 'a.mp4', 'empty'), MissingDataError('no video a.mp4', 'a.mp4')]
)
def test_what_is_wrong_survives_a_process(error):
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy), copy.path, copy.status) == (type(error), str(error), 'a.mp4', error.status)


def test_errors_are_those_of_the_house():
    assert isinstance(BadDataError('a'), ValueError) and not isinstance(BadDataError('a'), OSError)
    assert isinstance(MissingDataError('a'), FileNotFoundError) and MissingDataError('a').status == 'missing'
    assert str(MissingDataError('from the message alone')) == 'from the message alone'


@pytest.mark.parametrize(
    ('error', 'kind', 'message'),
    [
        (FileNotFoundError(errno.ENOENT, 'no'), MissingDataError, 'image a.jpg does not exist'),
        (NotADirectoryError(errno.ENOTDIR, 'no'), MissingDataError, 'image a.jpg does not exist'),
        (PermissionError(errno.EACCES, 'denied'), BadDataError, 'image a.jpg cannot be read: denied'),
        (OSError(errno.EIO, 'I/O error'), BadDataError, 'image a.jpg cannot be read: I/O error'),
    ],
)
def test_a_files_own_errors_name_it(error, kind, message):
    with pytest.raises(kind) as caught, named_file_errors('a.jpg', 'image'):
        raise error
    assert (str(caught.value), caught.value.path) == (message, 'a.jpg')


@pytest.mark.parametrize('number', [errno.EMFILE, errno.ENOMEM, errno.ENOSPC])
def test_the_machines_errors_are_left_alone(number):
    with pytest.raises(OSError) as caught, named_file_errors('a.jpg', 'image'):
        raise OSError(number, os.strerror(number))
    assert not isinstance(caught.value, BadDataError)


def test_broken_data_passes_as_it_is():
    error = BadDataError('image b.jpg is empty', 'b.jpg', 'empty')
    with pytest.raises(BadDataError) as caught, named_file_errors('a.jpg', 'image'):
        raise error
    assert caught.value is error
