"""How well the alerts work: the page and the API."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from tests.builders.alerts import HOUR, alert, source_alert
from tests.builders.sources import create_source
from tests.builders.users import signed_in
from visibility.db.database_time import database_now
from visibility.models import AlertState
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db


@pytest.fixture
def ops() -> Client:
    return signed_in(UserRole.OPERATIONS)


def test_health_counts_noise_ages_and_times(ops: Client) -> None:
    now = database_now()
    alert("SO-1", opened_at=now - 30 * HOUR, episode=4)
    alert("SO-2", opened_at=now - HOUR)
    closed: dict[str, Any] = {"opened_at": now - 5 * HOUR, "resolved_at": now - HOUR}
    withdrawn: dict[str, Any] = {
        **closed,
        "state": AlertState.WITHDRAWN,
        "closing_reason": "completed_on_time",
    }
    alert("SO-3", **withdrawn)
    by_user: dict[str, Any] = {**closed, "state": AlertState.RESOLVED, "closing_reason": "by_user"}
    alert("SO-4", acknowledged_at=now - 3 * HOUR, **by_user)
    alert("SO-5", opened_at=now - timedelta(days=40))
    health = ops.get("/api/v1/alerts/health").json()
    assert health["days"] == 28
    assert health["total"] == {
        "opened": 4,
        "open": 2,
        "stale": 1,
        "unstable": 1,
        "closed": 2,
        "closed_by_evidence": 1,
        "withdrawn": 1,
        "acknowledge_seconds": 7200,
        "close_seconds": 14400,
    }
    assert [rule["figures"]["opened"] for rule in health["rules"]] == [4]
    assert health["busiest_hour"]["alerts"] >= 1
    assert ops.get("/api/v1/alerts/health?days=90").json()["total"]["opened"] == 5
    assert ops.get("/api/v1/alerts/health?days=5").status_code == 400
    page = ops.get("/alerts/health").content.decode()
    assert "<b>4</b> alerts opened in 28 days; 2 of them still open" in page
    assert "1 unassigned for more than a day" in page
    assert "50.0% of 2 closed alerts were no breach." in page
    assert 'aria-current="true">28 days' in page
    assert 'href="/alerts/health"' in ops.get("/alerts").content.decode()


def test_health_without_alerts_states_no_value(ops: Client) -> None:
    page = ops.get("/alerts/health?days=x").content.decode()
    assert "No alert opened in the last 28 days." in page
    alert()
    page = ops.get("/alerts/health").content.decode()
    assert "none acknowledged" in page
    assert "none closed" in page


def test_integrators_see_the_health_of_alerts_of_sources() -> None:
    alert()
    source_alert(create_source())
    health = signed_in(UserRole.INTEGRATOR).get("/api/v1/alerts/health").json()
    assert health["total"]["opened"] == 1
    assert Client().get("/alerts/health").status_code == 302
