from pathlib import Path

from mmengine.config import Config

from repflow_mm.sweeps.rows import Network
from repflow_mm.sweeps.runs import Run
from repflow_mm.sweeps.tables import protocol

CONFIG = """
def dataset(name):
    pipeline = [dict(type='UniformSample', clip_len=16, test_mode=True), dict(type='CenterCrop', crop_size=96)]
    return dict(dataset=dict(ann_file='{folder}/' + name, pipeline=pipeline))
train_dataloader, test_dataloader = dataset('train.txt'), dataset('val.txt')
del dataset
"""


def test_frames_of_the_whole_clip(tmp_path):
    for name, count in (('train.txt', 3), ('val.txt', 2)):
        Path(tmp_path, name).write_text('a.mp4 0\n' * count)
    config = tmp_path / 'config.py'
    config.write_text(CONFIG.replace('{folder}', str(tmp_path)))
    assert Config.fromfile(config).test_dataloader
    run = Run(Network('config', config), 0, tmp_path)
    assert protocol(run) == '1 × 1 views, 16 frames over the whole clip, 96 pixels, 3 training, 2 test clips'
