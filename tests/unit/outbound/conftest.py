"""No address is allowed by an administrator: that list is in the database."""

import pytest

from visibility.outbound import address_guard


@pytest.fixture(autouse=True)
def no_allowed_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(address_guard, "is_allowed_by_administrator", lambda *_: False)
