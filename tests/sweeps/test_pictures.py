"""Pictures of a sweep's results, as far as what is in them can be read."""

from matplotlib.figure import Figure

from repflow_mm.sweeps.pictures import write_accuracy_over_ms


def test_accuracy_over_time_has_a_colour_for_each_kind(tmp_path, monkeypatch):
    figures, save = [], Figure.savefig
    monkeypatch.setattr(
        Figure, 'savefig', lambda self, *args, **kwargs: [figures.append(self), save(self, *args, **kwargs)]
    )
    means = {'TSM': {0: 0.2, 1: 0.4}, 'TSM, one flow': {0: 0.9}, 'X3D': {0: 0.5}, 'X3D, one flow': {0: 0.7, 1: 0.9}}
    milliseconds = dict(zip(means, (2, 3, 20, 30)))
    references = {'TSM, one flow': 'TSM', 'X3D, one flow': 'X3D', 'X3D, not run': 'X3D'}
    write_accuracy_over_ms(tmp_path / 'a.png', 'others', means, milliseconds, references)
    assert (tmp_path / 'a.png').stat().st_size > 0
    (axes,) = figures[0].axes
    assert [text.get_text() for text in figures[0].legends[0].get_texts()] == ['plain', 'one flow']
    assert [text.get_text() for text in axes.texts] == ['TSM', 'TSM', 'X3D', 'X3D']
    points = [container.lines[0].get_xydata().tolist() for container in axes.containers]
    assert [[[x, round(y)] for x, y in kind] for kind in points] == [[[2, 30], [20, 50]], [[3, 90], [30, 80]]]
    assert axes.get_xscale() == 'log' and axes.get_ylim()[1] > 101, 'a point at 100 % is whole'
