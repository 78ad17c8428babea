import pytest
from mmengine.config import Config

from repflow_mm.apis.command_line import one_line_errors, show


@pytest.mark.parametrize('kind', [FileNotFoundError, OSError, ValueError])
def test_errors_of_the_user_become_one_line(kind):
    with pytest.raises(SystemExit) as ended, one_line_errors():
        raise kind('no such thing')
    assert ended.value.code == 'error: no such thing'


def test_only_the_first_process_says_it(monkeypatch):
    monkeypatch.setenv('RANK', '1')
    with pytest.raises(SystemExit) as ended, one_line_errors():
        raise ValueError('no such thing')
    assert ended.value.code == 1


def test_other_errors_keep_their_traceback():
    with pytest.raises(ZeroDivisionError), one_line_errors():
        raise ZeroDivisionError


@pytest.mark.parametrize(
    ('goes_on', 'said'), [(False, 'interrupted\n'), (True, 'interrupted; the same command goes on from here\n')]
)
def test_an_interrupt_says_whether_the_command_goes_on(goes_on, said, capsys):
    with pytest.raises(SystemExit) as ended, one_line_errors(goes_on):
        raise KeyboardInterrupt
    assert (ended.value.code, capsys.readouterr().err) == (130, said)


def test_an_error_that_an_interrupt_became_is_an_interrupt(capsys, monkeypatch):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr('mmengine.config.config.FormatCode', interrupted)
    with pytest.raises(SystemExit) as ended, one_line_errors():
        _ = Config(dict(a=1)).pretty_text
    assert (ended.value.code, capsys.readouterr().err) == (130, 'interrupted\n')


def test_other_errors_stay_what_they_are():
    with pytest.raises(KeyError, match='b'), one_line_errors():
        try:
            raise ValueError('a')
        except ValueError:
            raise KeyError('b')  # noqa: B904


def test_a_long_report_is_cut(capsys):
    show('a', 'b')
    assert capsys.readouterr().out == 'a\nb\n'
    show(*map(str, range(30)))
    lines = capsys.readouterr().out.splitlines()
    assert lines[:22] == [str(k) for k in range(22)] and lines[22:] == ['... 8 more in the report']
