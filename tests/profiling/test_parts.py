import torch
from torch import nn

from repflow_mm.profiling.parts import parameters_by_part, parts_of


class Backbone(nn.Module):
    """A stem, a list of a few and one of many modules, a module whose children are called, and one that is not used."""

    def __init__(self):
        super().__init__()
        self.stem, self.unused = nn.Linear(2, 2), nn.Linear(2, 2)
        self.few = nn.ModuleList(nn.Linear(2, 2) for _ in range(2))
        self.many = nn.ModuleList(nn.Sequential(nn.Linear(2, 2)) for _ in range(7))
        self.pathway = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
        self.scale = nn.Parameter(torch.ones(2))

    def forward(self, x):
        for module in (self.stem, *self.few, *self.many, self.pathway[0], self.pathway[1]):
            x = module(x)
        return x * self.scale


class Recognizer(nn.Module):
    def __init__(self):
        super().__init__()
        self.data_preprocessor, self.backbone, self.cls_head = nn.Identity(), Backbone(), nn.Linear(2, 5)

    def forward(self, x):
        return self.cls_head(self.backbone(x))


def test_stages_are_the_outermost_modules_that_are_called():
    parts = parts_of(Recognizer(), lambda model: model(torch.ones(1, 2)))
    assert parts == {
        'data_preprocessor': ['data_preprocessor'],
        'backbone': ['backbone'],
        'backbone.stem': ['backbone.stem'],
        'backbone.few.0': ['backbone.few.0'],
        'backbone.few.1': ['backbone.few.1'],
        'backbone.many': [f'backbone.many.{k}' for k in range(7)],
        'backbone.pathway.0': ['backbone.pathway.0'],
        'backbone.pathway.1': ['backbone.pathway.1'],
        'cls_head': ['cls_head'],
    }


def test_every_parameter_counts_once():
    model = Recognizer()
    numbers = parameters_by_part(model, parts_of(model, lambda model: model(torch.ones(1, 2))))
    # What no stage has is the backbone's own: its scale, and the module that is not used.
    assert numbers['backbone'] == 2 + 6 and numbers['backbone.many'] == 7 * 6 and numbers['cls_head'] == 15
    assert sum(numbers.values()) == sum(parameter.numel() for parameter in model.parameters())
