"""Pytest plugin: the lanes of the suite, by folder, and the tests that take long.

tests/unit       plain Python: no database, no Redis, no process of the product
tests/db         PostgreSQL and Redis, in the process of the test
tests/processes  starts processes of the product
tests/browser    needs Chromium
"""

import os
import time
from collections.abc import Generator, Sequence

import pytest

from visibility.launcher.instance_lock_and_environment import CHECKOUT

UNIT = CHECKOUT / "tests" / "unit"
DATABASE_FIXTURES = {"db", "transactional_db", "live_server", "django_db_setup"}
SLOW_SECONDS = 2.0
CPU = "cpu_seconds"
LISTED = 20


def needs_servers(paths: Sequence[object]) -> bool:
    """Whether a run of these paths may need PostgreSQL or Redis; no path means the whole suite."""
    absolute = [os.path.abspath(str(path).partition("::")[0]) for path in paths]
    unit = str(UNIT)
    return not absolute or any(
        path != unit and not path.startswith(unit + os.sep) for path in absolute
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse a test of the unit lane that asks for the database."""
    wrong = [
        item.nodeid
        for item in items
        if item.path.is_relative_to(UNIT)
        and (
            item.get_closest_marker("django_db")
            or DATABASE_FIXTURES & set(getattr(item, "fixturenames", ()))
        )
    ]
    if wrong:
        raise pytest.UsageError("tests/unit has no database, which is used by " + ", ".join(wrong))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    """Measure the CPU time of the test, which a busy machine does not change much."""
    began = time.process_time()
    try:
        return (yield)
    finally:
        used = time.process_time() - began
        if used > SLOW_SECONDS and not item.get_closest_marker("slow"):
            item.user_properties.append((CPU, round(used, 1)))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name the tests that lack the mark `slow`. They do not fail: a machine may be slower."""
    reports = terminalreporter.getreports("passed") + terminalreporter.getreports("failed")
    slow_tests = sorted(
        {
            (float(str(value)), report.nodeid)
            for report in reports
            for name, value in report.user_properties
            if name == CPU and report.when == "call"
        },
        reverse=True,
    )
    if slow_tests:
        terminalreporter.section(f"over {SLOW_SECONDS:g} s of CPU without the mark `slow`")
        for seconds, name in slow_tests[:LISTED]:
            terminalreporter.write_line(f"{seconds:6.1f} s  {name}")
        if len(slow_tests) > LISTED:
            terminalreporter.write_line(f"and {len(slow_tests) - LISTED} more")
