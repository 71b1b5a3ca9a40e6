"""The order in which the processes of pytest-xdist take the tests."""

from tests.work_units import rank


def test_long_journeys_start_before_files_and_large_files_before_small_ones() -> None:
    units = {
        "tests/unit/test_small.py": 2,
        "tests/db/test_large.py": 300,
        "tests/db/test_small.py": 3,
        "tests/processes/test_faults.py": 5,
        "tests/browser/journeys/test_day.py::test_clerk": 1,
    }
    in_order = sorted(units, key=lambda unit: rank(unit, units[unit]))
    assert in_order == [
        "tests/browser/journeys/test_day.py::test_clerk",
        "tests/processes/test_faults.py",
        "tests/db/test_large.py",
        "tests/db/test_small.py",
        "tests/unit/test_small.py",
    ]
