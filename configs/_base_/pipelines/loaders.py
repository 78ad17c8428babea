# The loaders of all data sets on disk; the files over this one say how clips are read, and which.
train_dataloader = dict(
    num_workers=8,
    sampler=dict(type='DefaultSampler', shuffle=True),
)
val_dataloader = dict(num_workers=8, sampler=dict(type='DefaultSampler', shuffle=False))
test_dataloader = dict(batch_size=1, num_workers=8, sampler=dict(type='DefaultSampler', shuffle=False))
val_evaluator = dict(type='AccMetric')
test_evaluator = dict(type='AccMetric')
