import json
import multiprocessing
import os
import time

import numpy as np
import pytest

from repflow_mm.datasets.lists import list_runs
from repflow_mm.datasets.lists.check_videos import check_videos
from repflow_mm.datasets.lists.worker_pool import run_all
from repflow_mm.datasets.video_files import write_video
from repflow_mm.datasets.video_reading import check_video
from repflow_mm.testing.video_corpus import make_corpus


@pytest.fixture
def folder(tmp_path):
    """Three whole videos, an empty one and one that is not there, in a list in another folder."""
    (tmp_path / 'videos' / 'a b').mkdir(parents=True)
    for i in range(3):
        write_video(tmp_path / 'videos' / 'a b' / f'{i}.mp4', np.full((5 + i, 64, 64, 3), 90, np.uint8), fps=8)
    (tmp_path / 'videos' / 'empty.mp4').touch()
    (tmp_path / 'train.txt').write_text('a b/0.mp4 0\nempty.mp4 1\na b/1.mp4 2\n\nnone.mp4 3\na b/2.mp4 4\n')
    return tmp_path


def check(folder, **options):
    return check_videos(folder / 'train.txt', folder / 'videos', folder / 'out', jobs=2, **options)


def journal(folder):
    return folder / 'out' / 'train_checked.jsonl'


def states(folder):
    return {path: path.stat().st_mtime_ns for path in (folder / 'videos').rglob('*')}


def test_clean_list_and_report(folder):
    before = states(folder)
    report = check(folder)
    assert (folder / 'out' / 'train_clean.txt').read_text() == 'a b/0.mp4 0\na b/1.mp4 2\na b/2.mp4 4\n'
    assert report == json.loads((folder / 'out' / 'train_report.json').read_text())
    assert {status: n for status, n in report['counts'].items() if n} == dict(ok=3, missing=1, empty=1)
    assert (report['lines'], report['decoded_now'], report['frames']) == (5, 5, [5, 7])
    text = (folder / 'out' / 'train_report.txt').read_text().splitlines()
    assert 'train.txt: 5 lines: 3 ok, 0 in_order, 1 missing, 0 unreadable, 1 empty, 0 corrupt, ' in text[0]
    assert text[2] == 'line 2: empty.mp4: empty: the file has no bytes'
    assert text[3] == 'line 5: none.mp4: missing: the file does not exist'
    assert states(folder) == before


def test_only_what_changed_is_checked_again(folder):
    check(folder)
    clean = (folder / 'out' / 'train_clean.txt').read_text()
    assert check(folder)['decoded_now'] == 0
    assert (folder / 'out' / 'train_clean.txt').read_text() == clean
    (folder / 'videos' / 'empty.mp4').write_bytes((folder / 'videos' / 'a b' / '0.mp4').read_bytes())
    os.utime(folder / 'videos' / 'a b' / '1.mp4', ns=(0, 10**18))
    report = check(folder)
    assert report['decoded_now'] == 2 and report['counts']['ok'] == 4


@pytest.mark.parametrize('decoder', ['pyav', 'opencv'])
def test_parts_of_a_video_are_judged_by_themselves(tmp_path, decoder):
    frames = [np.full((32, 32, 3), 20 * number, np.uint8) for number in range(12)]
    for name in ('whole.mp4', 'cut.avi'):
        write_video(tmp_path / name, frames, fps=25)
    content = (tmp_path / 'cut.avi').read_bytes()
    (tmp_path / 'cut.avi').write_bytes(content[: content.index(b'idx1') - 10])
    lines = ['whole.mp4 0 8 1', 'whole.mp4 8 4 1', 'whole.mp4 8 5 1', 'cut.avi 0 4 0', 'cut.avi 4 8 0']
    (tmp_path / 'list.txt').write_text('\n'.join(lines) + '\n')
    report = check_videos(tmp_path / 'list.txt', tmp_path, jobs=1, with_offset=True, decoder=decoder)
    good = [lines[0], lines[1], lines[3]] if decoder == 'pyav' else lines[:2]
    assert (tmp_path / 'list_clean.txt').read_text().splitlines() == good
    assert (report['bad'][0]['line'], report['bad'][0]['status']) == (3, 'short')
    assert report['bad'][0]['message'] == 'offset + total_frames is 13, the video has 12 frames'
    assert (report['bad'][-1]['line'], report['bad'][-1]['status']) == (5, 'corrupt')
    assert (report['lines'], report['decoded_now'], report['frames']) == (5, 5, [4, 8])
    assert check_videos(tmp_path / 'list.txt', tmp_path, jobs=1, with_offset=True, decoder=decoder)['decoded_now'] == 0


def test_another_decoder_checks_again(folder):
    first = check(folder)
    second = check(folder, decoder='opencv')
    assert second['decoded_now'] == 5
    assert (first['counts']['ok'], second['counts']['in_order']) == (3, 3)
    assert check(folder, decoder='opencv')['decoded_now'] == 0
    with pytest.raises(ValueError, match="decoder must be one of pyav, torchcodec, decord, opencv, got 'ffmpeg'"):
        check(folder, decoder='ffmpeg')


def test_videos_that_are_read_in_order_are_good(tmp_path):
    names = ('mpeg4_b_frames.avi', 'h264.mp4', 'h264_b_frames_3_bytes.mp4', 'playlist.m3u', 'h264_without_suffix')
    make_corpus(tmp_path, names=names)
    (tmp_path / 'list.txt').write_text(''.join(f'{name} 0\n' for name in names))
    report = check_videos(tmp_path / 'list.txt', tmp_path, jobs=1)
    assert {status: n for status, n in report['counts'].items() if n} == dict(ok=2, in_order=1, corrupt=2)
    clean = (tmp_path / 'list_clean.txt').read_text()
    assert clean == 'mpeg4_b_frames.avi 0\nh264.mp4 0\nh264_without_suffix 0\n'
    assert [bad['path'] for bad in report['bad']] == ['h264_b_frames_3_bytes.mp4', 'playlist.m3u']


def test_retry_checks_bad_videos_again(folder):
    check(folder)
    assert check(folder, retry=True)['decoded_now'] == 2


def decode_slowly(video, alive):
    time.sleep(0.2)
    return {**check_video(video[1]), 'decoder': 'pyav'}


def check_slowly(folder):
    list_runs.run_all = lambda work, *arguments: run_all(decode_slowly, *arguments)
    check(folder)


def test_killed_run_goes_on(folder):
    reference = check(folder)
    clean = (folder / 'out' / 'train_clean.txt').read_text()
    for file in (folder / 'out').iterdir():
        file.unlink()
    run = multiprocessing.get_context('spawn').Process(target=check_slowly, args=(folder,))
    run.start()
    deadline = time.monotonic() + 60
    while not (journal(folder).exists() and journal(folder).read_text().count('\n') >= 2):
        assert run.is_alive() and time.monotonic() < deadline
        time.sleep(0.01)
    run.kill()
    run.join()
    done = journal(folder).read_text().count('\n')
    assert 2 <= done < 5 and not (folder / 'out' / 'train_clean.txt').exists()
    with open(journal(folder), 'a') as file:
        file.write('{"path": "half a li')
    report = check(folder)
    assert report['decoded_now'] == 5 - done
    assert {**report, 'decoded_now': 5} == reference
    assert (folder / 'out' / 'train_clean.txt').read_text() == clean
    assert all(json.loads(line) for line in journal(folder).read_text().splitlines())


def test_errors(folder):
    with pytest.raises(ValueError, match='jobs must be >= 1, got 0'):
        check_videos(folder / 'train.txt', folder / 'videos', jobs=0)
    with pytest.raises(ValueError, match='timeout must be > 0 seconds, got 0'):
        check(folder, timeout=0)
    with pytest.raises(FileNotFoundError, match='annotation list .*none.txt does not exist'):
        check_videos(folder / 'none.txt')
    with pytest.raises(FileNotFoundError, match='folder of videos .*nowhere does not exist'):
        check_videos(folder / 'train.txt', folder / 'nowhere')
    (folder / 'out').mkdir()
    journal(folder).write_text('something else\n')
    with pytest.raises(ValueError, match=r"train_checked.jsonl is no journal of this run: b'something else.*move it"):
        check(folder)
    assert journal(folder).read_text() == 'something else\n'


def test_paths_that_lead_out_of_the_folder(folder):
    (folder / 'videos' / 'a b').rename(folder / 'elsewhere')
    (folder / 'train.txt').write_text(f'../elsewhere/0.mp4 0\n{folder}/elsewhere/1.mp4 1\n')
    with pytest.raises(
        ValueError, match=r"train\.txt, line 1: '\.\./elsewhere/0\.mp4' lies outside of the folder .*videos"
    ):
        check(folder)
    assert check(folder, allow_outside=True)['counts']['ok'] == 2
