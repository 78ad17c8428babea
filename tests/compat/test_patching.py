from repflow_mm.compat.patching import replace


class Upstream:
    def double(self, x):
        """Twice x."""
        return 2 * x

    @staticmethod
    def name():
        return 'upstream'


def test_a_method_is_replaced_once():
    for _ in range(2):
        replace(Upstream, 'double', lambda upstream: lambda self, x: upstream(self, x) + 1)
    assert Upstream().double(3) == 7 and Upstream.double.__doc__ == 'Twice x.'


def test_a_static_method_stays_static():
    replace(Upstream, 'name', lambda upstream: lambda: f'not {upstream()}', static=True)
    assert Upstream.name() == Upstream().name() == 'not upstream'
