import pytest
from tiny_training import final_state, train


@pytest.fixture(scope='module')
def quick_start():
    """Runners that do not look for compilers, which would take most of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr('mmengine.runner.runner.collect_env', dict)
        yield


@pytest.fixture(scope='module')
def undisturbed(tmp_path_factory, quick_start):
    """What a run with these settings leaves if nothing disturbs it; each is run once."""
    states = {}

    def get(**settings):
        key = repr(settings)
        if key not in states:
            work_dir = tmp_path_factory.mktemp('undisturbed') / 'run'
            assert train(work_dir, **settings) is None
            states[key] = final_state(work_dir)
        return states[key]

    return get
