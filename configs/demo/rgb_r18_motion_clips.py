# The RGB network of the demo: it sees frames, and single frames do not tell the motion.
_base_ = [
    '../_base_/models/rgb_r18_demo.py',
    '../_base_/datasets/motion_clips.py',
    '../_base_/schedules/adam_demo.py',
    '../_base_/default_runtime.py',
]
