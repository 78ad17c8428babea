# A flow stream on the demo's clips: the same network on TV-L1 flow, which is computed on the fly, with nothing on disk.
_base_ = './rgb_r18_motion_clips.py'

# Our choice: a bound of 5 pixels, as nothing moves faster, and few levels, warps and iterations for such small motions.
model = dict(
    backbone=dict(in_channels=2),
    data_preprocessor=dict(
        _delete_=True,
        type='FlowDataPreprocessor',
        bound=5,
        parameters=dict(num_scales=3, num_warps=2, outer_iters=1),
    ),
)
