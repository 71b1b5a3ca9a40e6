"""No module of the product is longer than CONTRIBUTING.md allows."""

import pytest

from visibility.launcher.instance_lock_and_environment import CHECKOUT

MAX_LINES = 300


@pytest.mark.parametrize("package", ["connectors", "visibility"])
def test_no_module_is_longer_than_300_lines(package: str) -> None:
    lines_by_module = {
        path.relative_to(CHECKOUT).as_posix(): len(path.read_text().splitlines())
        for path in (CHECKOUT / package).rglob("*.py")
        if "migrations" not in path.parts
    }
    assert len(lines_by_module) > 40
    too_long = {module: n for module, n in lines_by_module.items() if n > MAX_LINES}
    assert too_long == {}, "split these modules by content"
