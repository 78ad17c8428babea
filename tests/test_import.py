import json

import pytest
from helpers import ROOT, run_python


@pytest.fixture
def too_new_mmcv(tmp_path):
    """Folder whose mmcv-lite, first on the path, is one that is not supported."""
    folder = tmp_path / 'site'
    (folder / 'mmcv_lite-2.2.0.dist-info').mkdir(parents=True)
    (folder / 'mmcv_lite-2.2.0.dist-info' / 'METADATA').write_text(
        'Metadata-Version: 2.1\nName: mmcv-lite\nVersion: 2.2.0\n'
    )
    return folder


PROBLEM = (
    'mmcv or mmcv-lite or onedl-mmcv: found mmcv-lite 2.2.0 (allowed: >= 2.0.0, < 2.2.0); '
    "pip install 'mmcv-lite>=2.0.0,<2.2.0'"
)


def test_the_package_itself_imports_nothing_but_its_version(tmp_path):
    program = 'import sys; before = set(sys.modules); import repflow_mm; print(sorted(set(sys.modules) - before))'
    done = run_python('-c', program, cwd=tmp_path)
    assert done.stdout == "['repflow_mm', 'repflow_mm.version']\n", done.stderr


NEED_UPSTREAM = ('registration', 'models', 'models.layers.flow_block', 'datasets', 'datasets.video_dataset', 'engine',
                 'apis.train', 'sweeps.runs')  # fmt: skip


IMPORT_EACH = """
import sys
for name in sys.argv[1:]:
    try:
        __import__(f'repflow_mm.{name}')
    except ImportError as error:
        print(f'{name}: {error}')
"""


def test_import_with_a_wrong_version_says_found_and_allowed(tmp_path, too_new_mmcv):
    done = run_python('-c', IMPORT_EACH, *NEED_UPSTREAM, cwd=tmp_path, path=(too_new_mmcv,))
    message = f'repflow_mm cannot run with the installed versions:\n  - {PROBLEM}\n'
    assert done.stdout == ''.join(f'{name}: {message}' for name in NEED_UPSTREAM), done.stderr


OPS_ALONE = """
import sys, torch
from repflow_mm.ops import brox_flow, rep_flow, rep_flow_ref, tvl1_flow
x = torch.rand(1, 2, 3, 8, 8)
for solve in (rep_flow, rep_flow_ref):
    assert solve(x, 0.3, 0.15, 0.25, num_iters=2).shape == (1, 4, 2, 8, 8)
for flow in (tvl1_flow, brox_flow):
    assert flow(x[:, :1, 0], x[:, :1, 1]).shape == (1, 2, 8, 8)
names = ('mmaction', 'mmengine', 'mmcv', 'cv2', 'matplotlib', 'numpy', 'triton', 'torch._dynamo')
print([name for name in names if name in sys.modules])
"""


def test_ops_need_torch_alone_beside_wrong_versions_and_broken_packages(tmp_path, too_new_mmcv):
    for name in ('mmaction', 'mmengine', 'mmcv', 'cv2', 'av', 'decord', 'matplotlib', 'triton'):
        (too_new_mmcv / f'{name}.py').write_text('raise RuntimeError("broken")\n')
    (too_new_mmcv / 'numpy.py').write_text('raise ModuleNotFoundError("No module named numpy", name="numpy")\n')
    done = run_python('-c', OPS_ALONE, cwd=tmp_path, path=(too_new_mmcv,))
    assert done.stdout == '[]\n', done.stderr


def test_doctor_reports_a_broken_package(tmp_path):
    (tmp_path / 'av.py').write_text('raise RuntimeError("no such codec")\n')
    done = run_python('-m', 'repflow_mm', 'doctor', cwd=tmp_path, path=(tmp_path,))
    assert done.returncode == 1, done.stderr
    assert "av cannot be imported (no such codec): videos are read with it: pip install 'av>=15,<20'" in done.stdout


def test_doctor_says_which_decoder_is_used_and_why_others_are_not(tmp_path):
    (tmp_path / 'torchcodec.py').write_text('raise OSError("libavutil.so.60: cannot open")\n')
    done = run_python('-m', 'repflow_mm', 'doctor', cwd=tmp_path, path=(tmp_path,), REPFLOW_MM_DECODER='opencv')
    assert done.returncode == 0, done.stdout + done.stderr
    assert '  pyav        can be used\n' in done.stdout
    assert '  torchcodec  torchcodec cannot be imported: libavutil.so.60: cannot open\n' in done.stdout
    assert '  opencv      can be used (used; REPFLOW_MM_DECODER or decoder= names another one)\n' in done.stdout


def test_doctor_reports_a_wrong_version(tmp_path, too_new_mmcv):
    done = run_python('-m', 'repflow_mm', 'doctor', cwd=tmp_path, path=(too_new_mmcv,))
    assert done.returncode == 1, done.stderr
    assert done.stdout.endswith(f'Cannot work\n  - {PROBLEM}\n')
    assert 'mmcv-lite                       2.2.0' in done.stdout
    assert 'cpu   reference   runs' in done.stdout


def test_doctor_of_a_good_environment(tmp_path):
    done = run_python('-m', 'repflow_mm', 'doctor', cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith('Everything can work.\n')
    assert 'mmaction2                       1.2.0' in done.stdout
    assert 'mmaction2#2714' in done.stdout
    assert done.stderr == ''


REGISTERED = """
import json
from mmaction.registry import DATASETS, HOOKS, LOOPS, MODELS, OPTIM_WRAPPERS, TRANSFORMS

names = {
    MODELS: ('RepFlowResNet', 'WithFlow', 'FlowBlock', 'RepresentationFlow'),
    DATASETS: ('CheckedVideoDataset',),
    TRANSFORMS: ('VideoInit', 'VideoDecode'),
    HOOKS: ('StepSeedHook', 'ResumableCheckpointHook'),
    LOOPS: ('ResumableEpochBasedTrainLoop',),
    OPTIM_WRAPPERS: ('CpuAmpOptimWrapper',),
}
missing = [name for registry, parts in names.items() for name in parts if registry.get(name) is None]
print('REPORT', json.dumps(missing))
"""

# The config's custom_imports alone bring the package in.
RUNNER = """
import json, sys
from mmengine.config import Config
from mmengine.runner import Runner

cfg = Config.fromfile(sys.argv[1])
cfg.work_dir = 'work_dir'
runner = Runner.from_cfg(cfg)
print('REPORT', json.dumps([type(runner.model.backbone).__name__, *(type(hook).__name__ for hook in runner.hooks)]))
"""

# The worker starts with nothing imported, and unpickling the data set has to bring everything in.
SPAWNED_WORKER = """
import json, sys
from mmaction.registry import DATASETS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope
from torch.utils.data import DataLoader

cfg = Config.fromfile(sys.argv[1])
init_default_scope('mmaction')
dataset = DATASETS.build(cfg.val_dataloader.dataset)
loader = DataLoader(dataset, batch_size=2, num_workers=1, multiprocessing_context='spawn', collate_fn=pseudo_collate)
print('REPORT', json.dumps([list(clip.shape) for clip in next(iter(loader))['inputs']]))
"""

# Neither of these imports repflow_mm: the config's custom_imports has to do it (mmaction2#1467, #2541).
RECOGNIZER = """
import json, sys
import torch
from mmaction.apis import inference_recognizer, init_recognizer
from mmaction.apis.inferencers import MMAction2Inferencer

config, video, checkpoint = sys.argv[1:]
model = init_recognizer(config, None, device='cpu')
torch.save(dict(state_dict=model.state_dict(), meta={}), checkpoint)
model = init_recognizer(config, checkpoint, device='cpu')
scores = inference_recognizer(model, video).pred_score
inferencer = MMAction2Inferencer(rec=config, rec_weights=checkpoint, device='cpu')
found = inferencer(video, return_vis=False)['predictions'][0]['rec_scores'][0]
print('REPORT', json.dumps([scores.tolist(), found]))
"""


def reported(done):
    """What a program printed on its last line."""
    assert done.returncode == 0, done.stderr
    word, _, text = done.stdout.splitlines()[-1].partition(' ')
    assert word == 'REPORT'
    return json.loads(text)


DEMO = ROOT / 'configs' / 'demo' / 'repflow_r18_motion_clips.py'


def test_registration_registers_everything_in_an_empty_folder(tmp_path):
    assert reported(run_python('-c', f'import repflow_mm.registration\n{REGISTERED}', cwd=tmp_path)) == []


def test_runner_in_an_empty_folder(tmp_path, motion_clips):
    done = run_python('-c', RUNNER, DEMO, cwd=tmp_path, MOTION_CLIPS=str(motion_clips))
    backbone, *hooks = reported(done)
    assert backbone == 'RepFlowResNet' and 'StepSeedHook' in hooks


def test_spawned_data_worker_in_an_empty_folder(tmp_path, motion_clips):
    done = run_python('-c', SPAWNED_WORKER, DEMO, cwd=tmp_path, MOTION_CLIPS=str(motion_clips))
    assert reported(done) == [[1, 3, 8, 32, 32]] * 2


def test_recognizer_and_inferencer_in_an_empty_folder(tmp_path, motion_clips):
    video = next(motion_clips.glob('val/*.mp4'))
    done = run_python('-c', RECOGNIZER, DEMO, video, tmp_path / 'model.pth', cwd=tmp_path)
    scores, found = reported(done)
    assert len(scores) == 8
    assert sum(scores) == pytest.approx(1, abs=1e-5)
    assert found == pytest.approx(scores, abs=1e-6)
