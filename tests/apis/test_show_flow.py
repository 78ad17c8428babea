import pytest

from repflow_mm.apis import show_flow
from repflow_mm.apis.flow_viewers import FramesViewer


def test_files_of_a_video(motion_clips, tmp_path, capsys):
    video = next((motion_clips / 'val').iterdir())
    arguments = ['--short-side', '32', '--num-frames', '4', '--num-iters', '3', '--channels', '2', '--method', 'none']
    show_flow.main([str(video), '--out', str(tmp_path / 'out'), *arguments])
    names = ['flow.png', 'flow.html', 'flow.gif', 'flow.mp4']
    assert capsys.readouterr().out.split() == [str(tmp_path / 'out' / name) for name in names]
    page = (tmp_path / 'out' / 'flow.html').read_text()
    assert '"channel": "blue"' in page and '"channel": "red"' not in page and '"classical": null' in page


def test_contact_sheets_of_a_list(motion_clips, tmp_path):
    viewer = FramesViewer(short_side=32, num_frames=3, num_iters=2)
    names = ['to the left', 'to the right']
    options = dict(per_class=2, class_names=names, method=None)
    paths = show_flow.show_list(viewer, motion_clips / 'train.txt', motion_clips, tmp_path, **options)
    assert [path.name for path in paths[:3]] == ['000_to_the_left.png', '001_to_the_right.png', '002_class_2.png']
    assert len(paths) == 8 and all(path.stat().st_size for path in paths)
    (tmp_path / 'list.txt').write_text('../a.mp4 0\n')
    with pytest.raises(ValueError, match=r"list.txt, line 1: '../a.mp4' lies outside of the folder"):
        show_flow.show_list(viewer, tmp_path / 'list.txt', motion_clips, tmp_path, **options)
    with pytest.raises(FileNotFoundError, match='a.mp4 does not exist'):
        show_flow.show_list(viewer, tmp_path / 'list.txt', motion_clips, tmp_path, allow_outside=True, **options)


def test_the_command_takes_a_list(motion_clips, tmp_path, capsys):
    arguments = ['--videos', str(motion_clips), '--per-class', '1', '--num-frames', '2', '--num-iters', '1']
    show_flow.main(
        [str(motion_clips / 'val.txt'), '--out', str(tmp_path), '--short-side', '32', *arguments, '--method', 'dis']
    )
    assert len(capsys.readouterr().out.split()) == 8 == len(list(tmp_path.iterdir()))


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['none.mp4'], 'error: .*none.mp4.* does not exist'),
        (['a.mp4', '--config', 'a.py'], 'error: --config and --checkpoint go together'),
        (['none.txt'], 'error: annotation list none.txt does not exist'),
        (['a.mp4', '--num-frames', '1'], 'error: num_frames must be >= 2, got 1'),
    ],
)
def test_errors_are_a_line(arguments, message):
    with pytest.raises(SystemExit, match=message):
        show_flow.main(arguments)
