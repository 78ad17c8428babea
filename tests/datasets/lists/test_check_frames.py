import os

import cv2
import numpy as np
import pytest

from repflow_mm.datasets.flow.frames import FLOW_TEMPLATE, write_flow_file, write_flow_folder
from repflow_mm.datasets.lists.check_frames import FrameLayout, check_frames

FLOW = FrameLayout(filename_tmpl=FLOW_TEMPLATE, modality='Flow')


def levels(number):
    return np.full((number, 2, 24, 32), 128, np.uint8)


@pytest.fixture
def folder(tmp_path):
    """Flow of five lines: whole, one too many, a missing image, a damaged one, none; as a file, and one too many."""
    for name in ('whole one', 'more', 'gap', 'damaged'):
        write_flow_folder(tmp_path / name, levels(40))
    (tmp_path / 'gap' / 'y_00035.jpg').unlink()
    (tmp_path / 'damaged' / 'x_00002.jpg').write_bytes(b'hello')
    write_flow_file(tmp_path / 'file.mp4', levels(3))
    (tmp_path / 'flow.txt').write_text(
        'whole one 40 0\n\nmore 41 1\ngap 40 1\ndamaged 40 2\nnone 5 0\nfile.mp4 3 0\n./file.mp4 4 0\n'
    )
    return tmp_path


def test_flow(folder):
    report = check_frames(folder / 'flow.txt', folder, layout=FLOW, jobs=2)
    assert (report['lines'], report['decoded_now']) == (7, 7)
    found = {bad['line']: (bad['status'], bad['message']) for bad in report['bad']}
    assert found == {
        3: ('short', f'total_frames is 41, but the last image {folder}/more/x_00041.jpg does not exist'),
        4: ('missing', f'image {folder}/gap/y_00035.jpg does not exist'),
        5: ('corrupt', f'image {folder}/damaged/x_00002.jpg (5 bytes) is no JPEG file'),
        6: ('missing', f'folder of frames {folder}/none does not exist'),
        8: ('short', f'flow file {folder}/file.mp4 has 3 flows, fewer than the list says: 4'),
    }
    assert (folder / 'flow_clean.txt').read_text() == 'whole one 40 0\nfile.mp4 3 0\n'


def test_only_what_changed_is_checked_again(folder):
    check_frames(folder / 'flow.txt', folder, layout=FLOW, jobs=1)
    assert check_frames(folder / 'flow.txt', folder, layout=FLOW, jobs=1)['decoded_now'] == 0
    (folder / 'gap' / 'y_00035.jpg').write_bytes((folder / 'gap' / 'y_00034.jpg').read_bytes())
    os.utime(folder / 'gap', ns=(0, 10**18))
    report = check_frames(folder / 'flow.txt', folder, layout=FLOW, jobs=1)
    assert (report['decoded_now'], report['counts']['ok']) == (1, 3)
    text = (folder / 'flow.txt').read_text().replace('more 41', 'more 40')
    (folder / 'flow.txt').write_text(text)
    report = check_frames(folder / 'flow.txt', folder, layout=FLOW, jobs=1)
    assert (report['decoded_now'], report['counts']['ok']) == (1, 4)


def test_frames_of_long_videos(tmp_path):
    (tmp_path / 'a').mkdir()
    for number in range(1, 10):
        cv2.imwrite(str(tmp_path / 'a' / f'img_{number:05}.jpg'), np.full((24, 32, 3), 9 * number, np.uint8))
    (tmp_path / 'list.txt').write_text('a 0 4 1 2\na 4 5 0\na 4 6 0\n')
    layout = FrameLayout(with_offset=True, multi_class=True)
    with pytest.raises(ValueError, match=r"list\.txt, line 1: 'a 0 4 1 2': .*several labels need multi_class=True"):
        check_frames(tmp_path / 'list.txt', tmp_path, layout=FrameLayout(with_offset=True))
    report = check_frames(tmp_path / 'list.txt', tmp_path, layout=layout, jobs=1)
    assert [(bad['line'], bad['status']) for bad in report['bad']] == [(3, 'short')]


def test_modality():
    with pytest.raises(ValueError, match="modality must be 'RGB' or 'Flow', got 'rgb'"):
        FrameLayout(modality='rgb')
