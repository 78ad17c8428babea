"""What the tests do with the small sweep."""

from repflow_mm.sweeps import ablate

CONFIG = """
model = dict(scale={scale})
pipeline = [dict(type='SampleFrames', clip_len=8, num_clips=2), dict(type='ThreeCrop', crop_size=32)]
train_dataloader = dict(dataset=dict(ann_file='{lists}/train.txt'))
test_dataloader = dict(dataset=dict(ann_file='{lists}/val.txt', pipeline=pipeline))
"""


def run(sweep, *what, seeds='0 1', splits=None):
    lines = []
    work_dir = sweep / 'work'
    argv = [*what, '--tables', str(sweep / 'tables.yml'), '--work-dir', str(work_dir), '--seeds', *seeds.split()]
    argv += [] if splits is None else ['--splits', *splits.split()]
    failed = ablate.main(argv, show=lines.append)
    return failed, ''.join(lines), work_dir


def calls(work_dir):
    return (work_dir / 'calls.txt').read_text().splitlines()
