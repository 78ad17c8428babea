"""How each code block of the documentation is tested; a shell block that is not here fails the tests.

All shell commands are given to their programs' own parsers, all configs are built, all other Python is run. Blocks of
shells are run besides, as they stand, in a folder with small data (``doc_sandbox.py``), unless a reason is given.
"""

from __future__ import annotations

from doc_blocks import Block

# Shell blocks that are run, by their page and first words.
RUN = [
    ('docs/data.md', 'repflow-mm check_videos'),
    ('docs/flow_streams.md', 'repflow-mm extract_flow'),
    ('docs/flow_streams.md', 'repflow-mm fuse'),
    ('docs/inference.md', 'tools/infer.py clip.mp4'),
    ('docs/pictures.md', 'python -m repflow_mm show_flow video.mp4'),
    ('docs/results.md', 'python tools/ablate.py where learn'),
]

# The commands that make lists of data sets.
MAKERS = 'kinetics tiny_kinetics something_something jester diving48 ucf101 hmdb51 egogestar kth weizmann'.split()

# Blocks that are not run, by the reason, their page and first words.
NOT_RUN = {
    'tests/test_packaging.py runs the page': [
        ('docs/first_training.md', ''),
    ],
    'tests/end_to_end/test_datasets_page.py runs it': [
        ('docs/datasets.md', 'repflow-mm folders data/mine/videos data/mine --name mine --val 0.2 --seed 0'),
        ('docs/datasets.md', 'repflow-mm folders data/mine/videos data/mine --name mine --val 0.2 --group'),
        *(('docs/datasets.md', f'repflow-mm {maker} ') for maker in MAKERS),
        ('docs/datasets.md', "_base_ = 'repflow_mm::hmdb51"),
        ('docs/datasets.md', 'flip = dict'),
    ],
    'tests/docs/test_site.py runs it': [
        ('CONTRIBUTING.md', 'mkdocs build'),
    ],
    'tests/apis and tests/export run the tool on small networks': [
        ('docs/configs.md', 'python tools/data/folders.py --help'),
        ('docs/export.md', 'pip install'),
        ('docs/pictures.md', 'clips=data/motion_clips/seed0'),
        ('docs/profiling.md', 'tools/profile_model.py'),
    ],
    'tests/test_packaging.py makes a wheel and installs it': [
        ('docs/install.md', 'pip wheel'),
    ],
    'it installs': [
        ('README.md', 'bash tools/setup_env.sh'),
        ('README.md', 'pip install --no-deps'),
        ('docs/pictures.md', 'pip install'),
    ],
    'it takes minutes or hours, or a cluster': [
        ('README.md', 'bash tools/demo.sh'),
        ('docs/ablations.md', 'python tools/data/make_motion_clips.py'),
        ('docs/ablations.md', 'python tools/ablate.py two_stream'),
        ('docs/ablations.md', 'python tools/ablate.py longer --seeds'),
        ('docs/cluster.md', ''),
        ('docs/datasets.md', 'repflow-mm ablate main'),
        ('docs/flow_of_flow.md', 'python tools/data/make_motion_clips.py'),
        ('docs/pictures.md', 'tools/train.py'),
        ('docs/real_videos.md', 'EGOGESTAR_FOLD=tune'),
        ('docs/real_videos.md', 'git clone'),
        ('docs/real_videos.md', 'python tools/ablate.py main'),
        ('docs/results.md', 'tools/dist_train.sh'),
        ('docs/results.md', 'python tools/ablate.py where --seeds'),
        ('docs/training.md', 'tools/train.py'),
    ],
    'it needs a camera': [
        ('docs/inference.md', 'tools/infer.py 0'),
    ],
}


def matches(block: Block, entry: tuple[str, str]) -> bool:
    """Whether a block is the one that a page and its first words mean."""
    page, words = entry
    return block.page == page and block.text.strip().startswith(words)


def reasons_against(block: Block) -> list[str]:
    """Why a block is not run."""
    return [reason for reason, entries in NOT_RUN.items() if any(matches(block, entry) for entry in entries)]


def is_run(block: Block) -> bool:
    """Whether a shell block is among those that are run."""
    return any(matches(block, entry) for entry in RUN)
