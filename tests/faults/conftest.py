"""One test bed for all faults of a test process; what a fault left behind is put right again."""

from collections.abc import Iterator

import pytest

from tests.faults.bed import Bed
from tests.servers import _folder


@pytest.fixture(scope="session")
def _bed() -> Iterator[Bed]:
    """Made once."""
    made = Bed(_folder())
    made.start()
    yield made
    made.stop()


@pytest.fixture
def bed(_bed: Bed) -> Iterator[Bed]:
    """With web, one worker and one scheduler; a test may add more, which go with it."""
    yield _bed
    _bed.mend()
