import json
import os
import pickle
from importlib.metadata import distribution
from pathlib import Path

import pytest
import torch
from helpers import ROOT, fork_ranks, run, run_python, shrink_config
from mmengine.config import Config
from mmengine.runner import CheckpointLoader

from repflow_mm.apis import test as test_api
from repflow_mm.apis import train as train_api
from repflow_mm.apis.flow_viewers import NetworkViewer
from repflow_mm.apis.fuse import fuse_streams
from repflow_mm.engine import StepSeedHook

CONFIG = """
_base_ = '{root}/configs/demo/repflow_r18_motion_clips.py'
model = dict(backbone=dict(flow=dict(channels=8, num_iters=3)))
train_dataloader = dict(batch_size=4)
train_cfg = dict(max_epochs=2)
param_scheduler = [dict(type='CosineAnnealingLR', T_max=2, by_epoch=True, convert_to_iter_based=True)]
default_hooks = dict(logger=dict(interval=1), checkpoint=dict(save_best=None))
log_processor = dict(window_size=1)
"""

# Nothing random and no batch statistics, so that a batch may be divided among processes; plain SGD, as Adam makes steps
# of full size out of gradients that are rounding errors; and float64, as kinks, of ReLU and in the solver, make more of
# float32's rounding, which depends on the size of the batch and the number of threads.
DETERMINISTIC = """
custom_imports = dict(imports=['repflow_mm.registration', 'double_recognizer'])
optim_wrapper = dict(optimizer=dict(_delete_=True, type='SGD', lr=0.005))
model = dict(
    type='DoubleRecognizer3D',
    backbone=dict(norm_eval=True, flow=dict(channels=8, num_iters=3)), cls_head=dict(dropout_ratio=0.0)
)
_base_.train_pipeline[1].test_mode = True
train_dataloader = dict(batch_size=4, dataset=dict(pipeline=_base_.train_pipeline))
"""

DOUBLE_RECOGNIZER = """
from mmaction.models import Recognizer3D
from mmaction.registry import MODELS


@MODELS.register_module()
class DoubleRecognizer3D(Recognizer3D):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.double()
"""

FLOW_TERMS = {'raw_theta', 'raw_lam', 'raw_tau', 'flow_kernel', 'div_kernel'}


@pytest.fixture(scope='module')
def config(motion_clips, tmp_path_factory):
    """The demo's RepFlow model on tiny clips, four steps an epoch, two epochs."""
    path = tmp_path_factory.mktemp('config') / 'tiny.py'
    path.write_text(CONFIG.format(root=ROOT))
    previous = os.environ.get('MOTION_CLIPS')
    os.environ['MOTION_CLIPS'] = str(motion_clips)
    yield path
    os.environ.pop('MOTION_CLIPS')
    if previous is not None:
        os.environ['MOTION_CLIPS'] = previous


number_of_runs = 0


def command_line(config, work_dir, *flags, options=()):
    """Arguments of train.py or test.py; every run in this process needs a name of its own."""
    global number_of_runs
    number_of_runs += 1
    return [str(config), *map(str, flags), '--work-dir', str(work_dir),
            '--cfg-options', f'experiment_name=run{number_of_runs}', *options]  # fmt: skip


def train(config, work_dir, *flags, options=()):
    train_api.main(command_line(config, work_dir, *flags, options=options))


def losses(work_dir):
    """Loss by step, over all the runs in a folder."""
    records = []
    for log in sorted(Path(work_dir).glob('*/vis_data/scalars.json')):
        records += [json.loads(line) for line in log.read_text().splitlines()]
    return {record['step']: record['loss'] for record in records if 'loss' in record}


def weights(path):
    return CheckpointLoader.load_checkpoint(str(path), map_location='cpu')['state_dict']


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert torch.equal(found[name], value), name


@pytest.fixture(scope='module')
def trained(config, tmp_path_factory):
    """Working folder of a run of two epochs."""
    work_dir = tmp_path_factory.mktemp('trained')
    train(config, work_dir, '--seed', 1)
    return work_dir


def test_training_writes_logs_and_checkpoints(trained):
    assert sorted(path.name for path in trained.glob('*.pth')) == ['epoch_1.pth', 'epoch_2.pth']
    assert list(losses(trained)) == list(range(1, 9))
    assert all(0 < loss < 20 for loss in losses(trained).values())
    assert Path((trained / 'last_checkpoint').read_text()) == trained / 'epoch_2.pth'
    before, after = weights(trained / 'epoch_1.pth'), weights(trained / 'epoch_2.pth')
    moved = {name.split('.')[-1] for name in before
             if '.steps.flow0.' in name and not torch.equal(before[name], after[name])}  # fmt: skip
    assert moved == FLOW_TERMS


@pytest.mark.parametrize(('axis', 'backward', 'forward'), [(0, 'left', 'right'), (1, 'up', 'down')])
def test_the_learned_layer_tells_opposite_motions_apart(config, trained, motion_clips, axis, backward, forward):
    viewer = NetworkViewer(config, trained / 'epoch_2.pth')
    means = []
    for motion in (backward, forward):
        (flow,) = viewer.see(motion_clips / 'val' / f'{motion}_00000.mp4').flows.values()  # (2, C, T-1, H, W)
        means.append(flow.flatten(1).mean(dim=1))
        assert means[-1][axis].abs() > 2 * means[-1][1 - axis].abs(), 'it is along the motion'
    assert means[0][axis] < 0 < means[1][axis]


def test_test_dumps_scores(config, trained, tmp_path):
    dump = tmp_path / 'scores.pkl'
    test_api.main(command_line(config, tmp_path, trained / 'epoch_2.pth', '--dump', dump))
    samples = pickle.loads(dump.read_bytes())
    scores = torch.stack([sample['pred_score'] for sample in samples])
    labels = torch.stack([sample['gt_label'] for sample in samples]).flatten()
    assert scores.shape == (8, 8)
    assert torch.allclose(scores.sum(dim=1), torch.ones(8), atol=1e-5)
    assert labels.tolist() == list(range(8))
    (result,) = tmp_path.glob('*/*.json')
    top1 = (scores.argmax(dim=1) == labels).float().mean().item()
    assert json.loads(result.read_text())['acc/top1'] == pytest.approx(top1)
    fused = fuse_streams({'one': dump, 'again': dump})
    assert fused['samples'] == 8 and fused['streams']['one']['top1'] == fused['fusion']['top1'] == pytest.approx(top1)


@pytest.mark.parametrize('num_workers', [0, 2])
def test_resumed_run_equals_an_uninterrupted_one(config, trained, tmp_path, monkeypatch, num_workers):
    """Data workers change nothing, so that the uninterrupted run need not have as many."""
    options = [f'train_dataloader.num_workers={num_workers}']

    def stop_in_the_second_epoch(self, runner, batch_idx, data_batch=None, outputs=None):
        if (runner.epoch, batch_idx) == (1, 1):
            raise KeyboardInterrupt

    work_dir = tmp_path / 'interrupted'
    with monkeypatch.context() as patch:
        patch.setattr(StepSeedHook, 'after_train_iter', stop_in_the_second_epoch)
        with pytest.raises(KeyboardInterrupt):
            train(config, work_dir, '--seed', 1, options=options)
    assert (work_dir / 'epoch_1.pth').exists() and not (work_dir / 'epoch_2.pth').exists()
    # Without --seed: the run takes the seed of its checkpoint.
    train(config, work_dir, '--resume', options=options)
    assert losses(work_dir) == losses(trained)
    assert_same(weights(work_dir / 'epoch_2.pth'), weights(trained / 'epoch_2.pth'))


def test_seeds_differ(config, trained, tmp_path):
    train(config, tmp_path, '--seed', 2, '--no-validate', options=['train_cfg.max_epochs=1'])
    assert losses(tmp_path)[1] != losses(trained)[1]


def test_foreign_checkpoint_is_refused_and_nothing_is_lost(config, trained, tmp_path):
    before = {path: path.read_bytes() for path in trained.glob('*.pth')}
    foreign = tmp_path / 'foreign.pth'
    torch.save(dict(state_dict={}, meta={}, hook=print), foreign)
    with pytest.raises(SystemExit, match=r'^error: checkpoint .*foreign\.pth is refused: .*\(it needs print\)'):
        train(config, trained, '--resume', foreign)
    assert {path: path.read_bytes() for path in trained.glob('*.pth')} == before


def test_mixed_precision_on_a_cpu(config, trained, tmp_path):
    train(config, tmp_path, '--seed', 1, '--amp', '--no-validate', options=['train_cfg.max_epochs=1'])
    found, expected = losses(tmp_path), losses(trained)
    assert found[1] != expected[1]
    # bfloat16 has 8 bits of mantissa; the losses are about 2.
    assert found[1] == pytest.approx(expected[1], rel=0.05)
    state = weights(tmp_path / 'epoch_1.pth')
    assert all(value.isfinite().all() for value in state.values())
    assert {value.dtype for value in state.values()} == {torch.float32, torch.int64}


on_cpu = pytest.mark.skipif(torch.cuda.is_available(), reason='looks at gloo processes on a CPU')


def run_script(name, *arguments, motion_clips, cwd, path=()):
    """Run a tool's shell script on a port of its own; the process must succeed."""
    port = str(20000 + os.getpid() % 10000)
    env = dict(MOTION_CLIPS=str(motion_clips), MASTER_PORT=port)
    done = run('bash', ROOT / 'tools' / name, *arguments, cwd=cwd, path=path, **env)
    assert done.returncode == 0, done.stderr
    return done


@on_cpu
def test_two_processes_equal_one_with_twice_the_batch(motion_clips, tmp_path, monkeypatch):
    """Batch norm is in eval mode in both, as SyncBN does not exist on a CPU and other statistics would differ.

    With two ranks the sampler interleaves its indices, so both runs see the same clips in each step.
    """
    config = tmp_path / 'deterministic.py'
    config.write_text(CONFIG.format(root=ROOT) + DETERMINISTIC)
    (tmp_path / 'double_recognizer.py').write_text(DOUBLE_RECOGNIZER)
    monkeypatch.syspath_prepend(tmp_path)
    options = ['train_cfg.max_epochs=1']
    run_script('dist_train.sh', config, 2, '--work-dir', tmp_path / 'two', '--seed', 1,
               '--cfg-options', 'train_dataloader.batch_size=2', *options,
               motion_clips=motion_clips, cwd=tmp_path, path=(tmp_path,))  # fmt: skip

    start = {}

    def remember_the_start(self, runner):
        start.update({name: value.clone() for name, value in runner.model.state_dict().items()})

    monkeypatch.setattr(StepSeedHook, 'before_train', remember_the_start)
    monkeypatch.setenv('MOTION_CLIPS', str(motion_clips))
    train(config, tmp_path / 'one', '--seed', 1, options=options)
    assert list(losses(tmp_path / 'two')) == list(losses(tmp_path / 'one')) == [1, 2, 3, 4]

    two, one = weights(tmp_path / 'two' / 'epoch_1.pth'), weights(tmp_path / 'one' / 'epoch_1.pth')
    assert two.keys() == one.keys()
    moved = {name.split('.')[-1] for name in one if not torch.equal(one[name], start[name])}
    assert moved >= FLOW_TERMS
    for name in one:
        difference, change = two[name] - one[name], one[name] - start[name]
        if two[name].is_floating_point():
            assert two[name].dtype == torch.float64
            assert difference.norm() <= 1e-8 * change.norm() + 1e-14 * one[name].norm(), name
    assert 'find_unused_parameters' not in (tmp_path / 'two' / 'deterministic.py').read_text()


FAMILIES = (
    'repflow_r50_kinetics.py',
    'kinetics/fcf_imagenet-pretrained-r50-2plus1d-nl-dot-product_8xb8-32x2x1-60e_kinetics400-rgb.py',
    'tiny_kinetics/fcfcf_r34_1xb24-16x2x1-60e_tiny-kinetics-rgb.py',
    'tiny_kinetics/fcf_r3d-18_1xb24-16x2x1-60e_tiny-kinetics-rgb.py',
    'tiny_kinetics/fcf_r2plus1d-18_1xb24-16x2x1-60e_tiny-kinetics-rgb.py',
    'tiny_kinetics/tvl1-stack5-on-the-fly_imagenet-pretrained-r34_1xb24-16x2x1-100e_tiny-kinetics-flow.py',
)


@on_cpu
@pytest.mark.parametrize('name', FAMILIES, ids=lambda name: Path(name).stem.split('_8xb')[0].split('_1xb')[0])
def test_every_family_trains_in_two_processes(name, motion_clips, tmp_path):
    """Two steps each: a parameter without a gradient in the first ends the second, as nothing looks for such ones."""
    cfg = Config.fromfile(ROOT / 'configs' / name)
    shrink_config(cfg, motion_clips, tmp_path)
    cfg.train_dataloader.dataset.indices = 8
    cfg.default_hooks.logger.interval = 1
    cfg.dump(tmp_path / 'small.py')
    arguments = command_line(tmp_path / 'small.py', tmp_path / 'two', '--no-validate', '--launcher', 'pytorch')
    assert fork_ranks(2, lambda rank: train_api.main(arguments)) == [0, 0]
    assert list(losses(tmp_path / 'two')) == [1, 2]


@on_cpu
def test_two_processes_test_as_one_does(config, trained, motion_clips, tmp_path):
    checkpoint, dumps = trained / 'epoch_2.pth', [tmp_path / 'one.pkl', tmp_path / 'two.pkl']
    test_api.main(command_line(config, tmp_path, checkpoint, '--dump', dumps[0]))
    run_script('dist_test.sh', config, checkpoint, 2, '--work-dir', tmp_path, '--dump', dumps[1],
               motion_clips=motion_clips, cwd=tmp_path)  # fmt: skip
    one, two = (pickle.loads(path.read_bytes()) for path in dumps)
    assert [int(sample['gt_label']) for sample in two] == [int(sample['gt_label']) for sample in one]
    for left, right in zip(one, two, strict=True):
        torch.testing.assert_close(left['pred_score'], right['pred_score'], rtol=1e-5, atol=1e-6)


def test_mmaction2s_own_train_from_an_empty_folder(config, motion_clips, tmp_path):
    upstream = distribution('mmaction2').locate_file('mmaction/.mim/tools/train.py')
    done = run_python(upstream, config, '--no-validate', '--cfg-options', 'train_cfg.max_epochs=1', cwd=tmp_path,
                      MOTION_CLIPS=str(motion_clips))  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / 'work_dirs' / 'tiny' / 'epoch_1.pth').exists()
