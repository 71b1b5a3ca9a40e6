"""Pytest plugin: which process runs which tests, with pytest-xdist.

The tests of a file run in one process, one after the other, so that its module-scoped data is made
once, such as the product that journeys use. Files that take long start first: otherwise the last of
them would run alone at the end.
"""

from collections.abc import Sequence

import pytest
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]
from xdist.workermanage import WorkerController  # type: ignore[import-untyped]

# Each test of these takes long by itself and shares no data with the others of its file.
SINGLE_TESTS = ("tests/processes/recipes/",)
LANES = ("tests/browser/", "tests/processes/", "tests/db/", "tests/unit/")


class WorkUnits(LoadScopeScheduling):  # type: ignore[misc]  # it has no types
    """Distribute files, the slowest kinds first."""

    def _split_scope(self, nodeid: str) -> str:
        return nodeid if nodeid.startswith(SINGLE_TESTS) else nodeid.partition("::")[0]

    def _assign_work_unit(self, node: WorkerController) -> None:
        first = min(self.workqueue, key=lambda unit: rank(unit, len(self.workqueue[unit])))
        self.workqueue.move_to_end(first, last=False)
        super()._assign_work_unit(node)


def rank(unit: str, tests: int) -> tuple[int, int, int]:
    """The place of a unit in the queue: lane by lane, many tests first."""
    lane = next((at for at, folder in enumerate(LANES) if unit.startswith(folder)), len(LANES))
    return (lane, not unit.startswith(SINGLE_TESTS), -tests)


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> LoadScopeScheduling | None:
    """Use the units, unless the command line chooses another distribution."""
    chosen: Sequence[str] = config.invocation_params.args
    return (
        None if any(str(item).startswith("--dist") for item in chosen) else WorkUnits(config, log)
    )
