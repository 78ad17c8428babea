import re

import pytest
from mmengine.config import Config
from torch import nn

from repflow_mm.apis import preflight
from repflow_mm.apis.preflight import check_config, check_custom_keys

FLOW = dict(after='block3')
KINETICS_STEPS = [dict(type='SampleFrames', clip_len=8, num_clips=1), dict(type='FormatShape', input_format='NCTHW')]


@pytest.fixture
def make_config(tmp_path):
    """A config whose data exist; keyword arguments change the dataset."""
    (tmp_path / 'list.txt').write_text('a.mp4 0\n')

    def make(num_classes=4, backbone=None, data_help='', preprocessor=None, **dataset):
        dataset = dict(ann_file=str(tmp_path / 'list.txt'), num_classes=4, pipeline=KINETICS_STEPS) | dataset
        dataset.setdefault('data_prefix', dict(video=str(tmp_path)))
        backbone = backbone or dict(type='RepFlowResNet', num_segments=8, flow=FLOW)
        model = dict(backbone=backbone, cls_head=dict(num_classes=num_classes))
        model |= dict(data_preprocessor=preprocessor) if preprocessor else {}
        return Config(dict(model=model, data_help=data_help, train_dataloader=dict(dataset=dataset)))

    return make


def test_good_config_passes(make_config):
    check_config(make_config(), ('train',))
    check_config(make_config(num_classes=None), ('train', 'val', 'test'))
    check_config(Config(dict(model=dict(type='RecognizerGCN'))), ('train',))


@pytest.mark.parametrize('imports', ['repflow_mm', ['repflow_mm', 'my_module']])
def test_import_that_registers_nothing(make_config, imports):
    cfg = make_config()
    cfg.custom_imports = dict(imports=imports)
    message = "custom_imports names 'repflow_mm', which registers nothing by itself; name 'repflow_mm.registration'"
    with pytest.raises(ValueError, match=re.escape(message)):
        check_config(cfg, ('train',))
    cfg.custom_imports = dict(imports=['repflow_mm.registration'])
    check_config(cfg, ('train',))


def test_modes_that_do_not_run_are_not_checked(make_config):
    cfg = make_config(ann_file='/none/list.txt')
    check_config(cfg, ('val', 'test'))
    with pytest.raises(FileNotFoundError):
        check_config(cfg, ('train',))


def test_missing_list_says_where_it_was_looked_for_and_how_to_get_it(make_config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cfg = make_config(ann_file='data/list.txt', data_help='Make it with: x')
    message = f'annotation list data/list.txt not found (from {tmp_path}). Make it with: x'
    with pytest.raises(FileNotFoundError) as error:
        check_config(cfg, ('train',))
    assert str(error.value) == message
    with pytest.raises(FileNotFoundError) as error:
        check_config(make_config(ann_file='/none/list.txt'), ('train',))
    assert str(error.value) == 'annotation list /none/list.txt not found.'


def test_missing_data_folder(make_config):
    with pytest.raises(FileNotFoundError, match=r'^data folder /none/videos not found\. Get it$'):
        check_config(make_config(data_prefix=dict(video='/none/videos'), data_help='Get it'), ('train',))


def test_data_root_goes_before_relative_paths(make_config, tmp_path):
    (tmp_path / 'videos').mkdir()
    where = dict(data_root=str(tmp_path), ann_file='list.txt', data_prefix=dict(video='videos'))
    check_config(make_config(**where), ('train',))
    with pytest.raises(FileNotFoundError, match=f'annotation list {tmp_path}/other.txt not found'):
        check_config(make_config(**where | dict(ann_file='other.txt')), ('train',))


def test_remote_data_are_left_to_the_file_client(make_config):
    check_config(make_config(ann_file='s3://bucket/list.txt', data_prefix=dict(video='s3://bucket')), ('train',))


@pytest.mark.parametrize('num_classes', [0, -3, '400', 4.0])
def test_wrong_num_classes(make_config, num_classes):
    with pytest.raises(ValueError, match=rf'num_classes must be an integer >= 1, got {num_classes!r}$'):
        check_config(make_config(num_classes=num_classes), ('train',))


def test_num_classes_that_disagree(make_config):
    message = r'model\.cls_head\.num_classes is 400, but train_dataloader\.dataset\.num_classes is 4$'
    with pytest.raises(ValueError, match=message):
        check_config(make_config(num_classes=400), ('train',))


@pytest.mark.parametrize('epochs', [10, 100])
def test_a_schedule_of_other_epochs_is_told(make_config, monkeypatch, epochs):
    """As after --cfg-options train_cfg.max_epochs=10: the learning rate would stay high, or be 0 for most epochs."""
    told = []
    monkeypatch.setattr(preflight, 'print_log', lambda text, **_: told.append(text))
    cfg = make_config()
    cfg.param_scheduler = [dict(type='LinearLR', end=2), dict(type='CosineAnnealingLR', begin=2, end=40)]
    for number in (40, epochs):
        cfg.train_cfg = dict(max_epochs=number)
        check_config(cfg, ('train',))
    what = f'CosineAnnealingLR ends with epoch 40, the training with epoch {epochs}'
    assert told == [f'{what}; param_scheduler.1.end={epochs} changes that']
    cfg.merge_from_dict({'param_scheduler.1.end': epochs})
    check_config(cfg, ('train',))
    assert len(told) == 1


@pytest.mark.parametrize('kind', ['CheckedVideoDataset', 'CheckedRawframeDataset'])
def test_labels_beyond_the_heads_classes(make_config, tmp_path, kind):
    (tmp_path / 'list.txt').write_text('a 9 0\nb 9 4\n' if 'Rawframe' in kind else 'a.mp4 0\nb.mp4 4\n')
    cfg = make_config(num_classes=5, type=kind)
    cfg.train_dataloader.dataset.num_classes = None
    check_config(cfg, ('train',))
    cfg.model.cls_head.num_classes = 4
    with pytest.raises(ValueError, match=r'list\.txt, line 2: .*4'):
        check_config(cfg, ('train',))


@pytest.mark.parametrize('wrap', [lambda d: dict(type='RepeatDataset', times=2, dataset=d),
                                  lambda d: dict(type='ConcatDataset', datasets=[d, d])])  # fmt: skip
def test_datasets_inside_of_wrappers_are_checked(make_config, wrap):
    cfg = make_config(num_classes=400)
    cfg.train_dataloader = dict(dataset=wrap(cfg.train_dataloader.dataset.to_dict()))
    with pytest.raises(ValueError, match='num_classes is 400'):
        check_config(cfg, ('train',))


def folded(**sampler):
    return [dict(type='SampleFrames', **sampler), dict(type='FormatShape', input_format='NCHW')]


@pytest.mark.parametrize(
    'sampler', [dict(clip_len=1, num_clips=8), dict(clip_len=8, num_clips=25), dict(clip_len=16, num_clips=3)]
)
def test_folded_frames_of_whole_clips_pass(make_config, sampler):
    check_config(make_config(pipeline=folded(**sampler)), ('train',))


@pytest.mark.parametrize(
    ('sampler', 'frames'), [(dict(clip_len=1, num_clips=25), 25), (dict(clip_len=12, num_clips=2), 12)]
)
def test_flow_across_clips_is_refused(make_config, sampler, frames):
    message = (
        rf'^train: SampleFrames gives clips of {frames} frames, no multiple of backbone\.num_segments = 8, so flow'
    )
    with pytest.raises(ValueError, match=message):
        check_config(make_config(pipeline=folded(**sampler)), ('train',))
    check_config(make_config(pipeline=folded(**sampler), backbone=dict(type='ResNet')), ('train',))


def sampled(kind, **sampler):
    return [dict(type=kind, **sampler), dict(type='FormatShape', input_format='NCHW')]


@pytest.mark.parametrize(
    ('kind', 'sampler', 'frames'),
    [
        ('DenseSampleFrames', dict(clip_len=1, num_clips=8), 9),
        ('UniformSampleFrames', dict(clip_len=16), 12),
        ('UniformSample', dict(clip_len=8, num_clips=3, test_mode=True), 6),
        ('MMUniformSampleFrames', dict(clip_len=dict(RGB=8, Pose=32)), 10),
        ('SampleAVAFrames', dict(clip_len=32), 4),
        ('UntrimmedSampleFrames', dict(clip_len=8), 4),
    ],
)
def test_flow_across_clips_of_any_sampler_is_refused(make_config, kind, sampler, frames):
    check_config(make_config(pipeline=sampled(kind, **sampler)), ('train',))
    name = 'num_clips' if sampler['clip_len'] == 1 else 'clip_len'
    changed = sampler | {name: dict(RGB=frames) if isinstance(sampler[name], dict) else frames}
    message = rf'^train: {kind} gives clips of {frames} frames, no multiple of backbone\.num_segments = 8'
    with pytest.raises(ValueError, match=message):
        check_config(make_config(pipeline=sampled(kind, **changed)), ('train',))


@pytest.mark.parametrize(
    ('kind', 'sampler'),
    [('UniformSample', dict(clip_len=1, num_clips=8)), ('UntrimmedSampleFrames', dict(clip_interval=4))],
)
def test_samplers_that_give_single_frames(make_config, kind, sampler):
    with pytest.raises(ValueError, match=f'^train: {kind} gives clips of 1 frames'):
        check_config(make_config(pipeline=sampled(kind, **sampler)), ('train',))


def test_folded_frames_need_no_whole_clips_without_flow(make_config):
    frames = folded(clip_len=1, num_clips=25)
    check_config(make_config(pipeline=frames, backbone=dict(type='RepFlowResNet', num_segments=8)), ('train',))


def test_any_backbone_with_flow_says_what_it_takes(make_config):
    backbone = dict(type='WithFlow', backbone=dict(type='ResNetTSM', num_segments=8), flow=dict(after='layer2'))
    check_config(make_config(pipeline=folded(clip_len=1, num_clips=8), backbone=backbone), ('train',))
    with pytest.raises(ValueError, match=r'clips of 25 frames, no multiple of backbone\.num_segments = 8'):
        check_config(make_config(pipeline=folded(clip_len=1, num_clips=25), backbone=backbone), ('train',))
    backbone = dict(type='WithFlow', backbone=dict(type='ResNet', in_channels=10), flow=dict(after='layer2'))
    with pytest.raises(ValueError, match='RGB gives 3 channels, but backbone.in_channels is 10'):
        check_config(make_config(backbone=dict(backbone, num_segments=8)), ('train',))


def test_unfolded_clips_may_have_any_length(make_config):
    steps = [dict(type='SampleFrames', clip_len=12), dict(type='FormatShape', input_format='NCTHW')]
    check_config(make_config(pipeline=steps), ('train',))


def stored_flow(tmp_path, steps):
    return dict(type='RawframeDataset', modality='Flow', data_prefix=dict(img=str(tmp_path)), pipeline=steps)


@pytest.mark.parametrize('num_clips', [3, 25])
def test_stacks_of_stored_flow_stand_each_for_itself(make_config, tmp_path, num_clips):
    backbone = dict(type='RepFlowResNet', in_channels=10, num_segments=1)
    steps = folded(clip_len=5, num_clips=num_clips)
    check_config(make_config(backbone=backbone, **stored_flow(tmp_path, steps)), ('train',))


def test_stacks_of_stored_flow_are_the_frames_of_a_clip(make_config, tmp_path):
    backbone = dict(type='RepFlowResNet', in_channels=10, num_segments=5, flow=FLOW)
    message = r'^train: SampleFrames gives clips of 3 frames, no multiple of backbone\.num_segments = 5'
    with pytest.raises(ValueError, match=message):
        flow = stored_flow(tmp_path, folded(clip_len=5, num_clips=3))
        check_config(make_config(backbone=backbone, **flow), ('train',))


def test_missing_folder_of_flow(make_config, tmp_path):
    flow = stored_flow(tmp_path / 'none', KINETICS_STEPS)
    backbone = dict(type='RepFlowResNet', in_channels=2, num_segments=8)
    with pytest.raises(FileNotFoundError, match='^data folder .*none not found'):
        check_config(make_config(backbone=backbone, **flow), ('train',))


@pytest.mark.parametrize(
    ('steps', 'channels'), [(KINETICS_STEPS, 2), (folded(clip_len=10, num_clips=8), 20)], ids=['clips', 'stacks']
)
def test_channels_of_stored_flow(make_config, tmp_path, steps, channels):
    flow = stored_flow(tmp_path, steps)
    check_config(make_config(backbone=dict(type='RepFlowResNet', in_channels=channels), **flow), ('train',))
    message = f'^train: the flow on disk gives {channels} channels, but backbone.in_channels is 3$'
    with pytest.raises(ValueError, match=message):
        check_config(make_config(backbone=dict(type='RepFlowResNet'), **flow), ('train',))


def test_channels_of_flow_computed_in_the_pipeline(make_config):
    steps = [KINETICS_STEPS[0], dict(type='ComputeFlow', num_flows=2, method='dis'), KINETICS_STEPS[1]]
    check_config(make_config(backbone=dict(type='RepFlowResNet3d', in_channels=4), pipeline=steps), ('train',))
    with pytest.raises(ValueError, match='^train: ComputeFlow gives 4 channels, but backbone.in_channels is 3$'):
        check_config(make_config(backbone=dict(type='RepFlowResNet3d'), pipeline=steps), ('train',))


def test_channels_of_flow_on_the_fly(make_config):
    preprocessor = dict(type='FlowDataPreprocessor', stack_length=5, blending=dict(type='MixupBlending'))
    backbone = dict(type='RepFlowResNet3d', in_channels=10)
    check_config(make_config(backbone=backbone, preprocessor=preprocessor), ('train',))
    with pytest.raises(ValueError, match='^train: the preprocessor gives 10 channels, but .*in_channels is 2$'):
        check_config(make_config(backbone=backbone | dict(in_channels=2), preprocessor=preprocessor), ('train',))
    with pytest.raises(ValueError, match='bound must be > 0'):
        check_config(make_config(backbone=backbone, preprocessor=preprocessor | dict(bound=-1)), ('train',))


def test_channels_of_rgb(make_config):
    with pytest.raises(ValueError, match='^train: RGB gives 3 channels, but backbone.in_channels is 2$'):
        check_config(make_config(backbone=dict(type='RepFlowResNet', in_channels=2)), ('train',))
    check_config(make_config(backbone=dict(type='ResNet', in_channels=2)), ('train',))


@pytest.fixture
def flow_model():
    steps = nn.ModuleDict(dict(steps=nn.ModuleDict(dict(flow0=nn.Linear(1, 1)))))
    return nn.ModuleDict(dict(flow_blocks=nn.ModuleDict(dict(block3=steps)), layer1=nn.Linear(1, 1)))


def with_keys(*keys):
    return Config(dict(optim_wrapper=dict(paramwise_cfg=dict(custom_keys={key: dict(lr_mult=0.1) for key in keys}))))


def test_custom_keys_are_in_the_name_of_a_parameter(flow_model):
    check_custom_keys(with_keys('steps.flow', 'layer1'), flow_model)
    check_custom_keys(Config(dict()), flow_model)
    message = "custom_keys has 'stages.flow', which no parameter has in its name; the nearest are 'steps.flow0'"
    with pytest.raises(ValueError, match=re.escape(message)):
        check_custom_keys(with_keys('layer1', 'stages.flow'), flow_model)
    with pytest.raises(ValueError, match=r"has 'qqq', which no parameter has in its name$"):
        check_custom_keys(with_keys('qqq'), flow_model)


def test_custom_keys_of_flow_blocks_may_stand_where_there_is_none(flow_model):
    rgb = nn.ModuleDict(dict(layer1=nn.Linear(1, 1)))
    check_custom_keys(with_keys('steps.flow'), rgb)
    with pytest.raises(ValueError, match="has 'layer2'.*the nearest are 'layer1'"):
        check_custom_keys(with_keys('layer2'), rgb)


@pytest.mark.parametrize('kind', ['Flip', 'FlowFlip'])
def test_flips_exchange_the_labels_that_are_written_beside_the_list(make_config, tmp_path, kind):
    (tmp_path / 'mine_train_list_videos.txt').write_text('a.mp4 0\n')

    def check(**flip):
        steps = [*KINETICS_STEPS, dict(type=kind, **flip)]
        check_config(make_config(ann_file=str(tmp_path / 'mine_train_list_videos.txt'), pipeline=steps), ('train',))

    (tmp_path / 'other_flip_labels.json').write_text('{"2": 3, "3": 2}')
    check()
    (tmp_path / 'mine_flip_labels.json').write_text('{"0": 1, "1": 0}')
    check(flip_ratio=0)
    check(flip_label_map={0: 1, 1: 0, 2: 3})
    for flip in ({}, dict(flip_label_map=None), dict(flip_label_map={0: 1})):
        with pytest.raises(
            ValueError, match=rf'take {kind} out of the pipeline or give it flip_label_map={{0: 1, 1: 0}}'
        ):
            check(**flip)
    (tmp_path / 'mine_flip_labels.json').write_text('[0, 1]')
    with pytest.raises(ValueError, match='mine_flip_labels.json is no dict of labels'):
        check()
