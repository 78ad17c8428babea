"""``python -m repflow_mm COMMAND ...``, or ``repflow-mm COMMAND ...``: every tool of an installed package.

Each command is the ``main`` of a module; the scripts in a checkout's ``tools`` call the same functions.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

# command: (the module whose ``main`` it is, what it does)
COMMANDS = {
    'train': ('repflow_mm.apis.train', 'train a recognizer'),
    'test': ('repflow_mm.apis.test', 'test a recognizer'),
    'ablate': ('repflow_mm.sweeps.ablate', 'train and test the configs of a table with several seeds'),
    'infer': ('repflow_mm.apis.infer', 'predict what videos or a camera show'),
    'export': ('repflow_mm.apis.export', 'write a recognizer as ONNX, a torch.export program or TorchScript'),
    'profile_model': ('repflow_mm.apis.profile_model', 'say what a config costs and what holds its training up'),
    'fuse': ('repflow_mm.apis.fuse', 'fuse dumped scores of several streams'),
    'publish_model': ('repflow_mm.apis.publish', 'write a checkpoint for others'),
    'convert_released_weights': ('repflow_mm.apis.convert', "convert the authors' released weights"),
    'show_flow': ('repflow_mm.apis.show_flow', 'show what flow layers see in a video'),
    'demo_report': ('repflow_mm.apis.demo', "report the demo's results"),
    'demo_picture': ('repflow_mm.apis.demo_picture', "draw what the demo's network sees"),
    'metafiles': ('repflow_mm.apis.metafiles', "make the metafiles of configs and the paper's results"),
    'check_videos': ('repflow_mm.apis.data.check_videos', 'decode every video of a list and report the bad ones'),
    'check_frames': ('repflow_mm.apis.data.check_frames', 'decode the frames or flow of a list and report bad ones'),
    'extract_flow': ('repflow_mm.apis.data.extract_flow', 'write the flow of the videos of a list'),
    'folders': ('repflow_mm.apis.data.folders', 'make lists of your own videos, a folder for each class'),
    'kinetics': ('repflow_mm.apis.data.kinetics', 'make the lists of Kinetics-400, -600 or -700'),
    'tiny_kinetics': ('repflow_mm.apis.data.tiny_kinetics', 'make the lists of Tiny-Kinetics'),
    'something_something': ('repflow_mm.apis.data.something_something', 'make the lists of Something-Something'),
    'jester': ('repflow_mm.apis.data.jester', 'make the lists of Jester'),
    'diving48': ('repflow_mm.apis.data.diving48', 'make the lists of Diving48'),
    'ucf101': ('repflow_mm.apis.data.ucf101', "make the lists of UCF101's splits"),
    'hmdb51': ('repflow_mm.apis.data.hmdb51', "make the lists of HMDB51's splits"),
    'kth': ('repflow_mm.apis.data.kth', "make the lists of KTH's sequences, whose test persons are held out"),
    'weizmann': ('repflow_mm.apis.data.weizmann', "make the lists of Weizmann's folds, which leave one actor out"),
    'egogestar': ('repflow_mm.apis.data.egogestar', 'make the lists of EgoGestAR, whose test scenes are held out'),
    'make_motion_clips': ('repflow_mm.apis.data.make_motion_clips', 'render the clips of the demo and its ablations'),
    'gpu_check': ('repflow_mm.gpu_check.cli', 'say whether the solver works on this GPU, and how fast'),
    'chaos': ('repflow_mm.chaos.cli', 'kill, damage and mislead what may be, and say what became of it'),
    'doctor': ('repflow_mm.doctor', 'say what is installed, what is worked around and what can run'),
}


def usage() -> str:
    """The commands, a line each."""
    lines = [f'  {name:<26}{text}' for name, (_, text) in COMMANDS.items()]
    return '\n'.join(['usage: repflow-mm COMMAND [arguments]; COMMAND --help tells its arguments', '', *lines])


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that the first argument names with the others; returns the exit status."""
    name, *arguments = list(sys.argv[1:] if argv is None else argv) or ['--help']
    if name in ('-h', '--help'):
        sys.stdout.write(f'{usage()}\n')
        return 0
    if name not in COMMANDS:
        sys.exit(f'error: unknown command {name!r}; the commands are {", ".join(COMMANDS)}')
    # argparse shows this as the program's name.
    sys.argv[0] = f'repflow-mm {name}'
    return 1 if importlib.import_module(COMMANDS[name][0]).main(arguments) else 0


if __name__ == '__main__':
    sys.exit(main())
