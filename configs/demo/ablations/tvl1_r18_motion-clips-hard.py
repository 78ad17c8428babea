# The flow CNN: the same network on TV-L1 flow, which is computed on the fly.
_base_ = './rgb_r18_motion-clips-hard.py'

# Our choice: a bound of 4 pixels, as hardly anything moves faster; as motions are small, fewer levels, warps and rounds
# than the defaults.
model = dict(
    backbone=dict(in_channels=2, num_segments=7),
    data_preprocessor=dict(
        _delete_=True,
        type='FlowDataPreprocessor',
        bound=4,
        parameters=dict(num_scales=3, num_warps=3, outer_iters=3),
    ),
)
