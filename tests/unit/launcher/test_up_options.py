"""The options of `manage.py up`."""

import pytest

from visibility.launcher.up_options import parse_up_options


def test_erps_of_the_demo_are_handed_to_the_demo_command() -> None:
    assert parse_up_options([]).demo_arguments == ()
    options = parse_up_options(["--erp", "both", "--cut-over-days", "0"])
    assert options.demo_arguments == ("--erp=both", "--cut-over-days=0")


@pytest.mark.parametrize(
    "arguments", [["--erp", "oracle"], ["--empty", "--erp", "tryton"], ["--cut-over-days", "x"]]
)
def test_invalid_options_are_refused(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        parse_up_options(arguments)
    assert "error:" in capsys.readouterr().err
