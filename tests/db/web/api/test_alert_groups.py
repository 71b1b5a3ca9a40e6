"""API tests of the groups of alerts."""

from collections.abc import Callable
from typing import Any

from django.test import Client

from tests.db.web.api.conftest import Installation, create_alert
from visibility.models import Alert, AlertState
from visibility.web.api import alert_groups
from visibility.web.permissions import UserRole


def post_group_action(client: Client, body: dict[str, Any]) -> Any:
    """Act on a group."""
    return client.post("/api/v1/alerts/groups/act", body, "application/json")


def test_number_of_each_group_equals_its_list(
    installation: Installation, operations: Client
) -> None:
    create_alert(installation.order, installation.rule, 2)
    page = operations.get("/api/v1/alerts/groups").json()
    assert (len(page["items"]), page["total"], page["next_start"]) == (2, 2, None)
    for group in page["items"]:
        listed = operations.get("/api/v1/alerts", {"group": group["key"]}).json()["items"]
        assert len(listed) == group["alerts"]
    assert operations.get("/api/v1/alerts?group=x").json()["items"] == []
    by_order = operations.get("/api/v1/alerts/groups?by=order").json()["items"]
    assert {group["key"] for group in by_order} == {
        f"order:{installation.order.object_id}",
        "order:0",
    }
    assert operations.get("/api/v1/alerts/groups?by=one").status_code == 400
    assert operations.get("/api/v1/alerts/groups?start=0").status_code == 400


def test_integrators_see_no_money_and_no_groups_of_orders(
    installation: Installation, signed_in: Callable[[UserRole], Client]
) -> None:
    [group] = signed_in(UserRole.INTEGRATOR).get("/api/v1/alerts/groups").json()["items"]
    assert group["title"] == installation.silent.title
    assert "money_at_risk" not in group


def test_action_on_a_group_has_a_result_for_each_alert_and_says_how_many_remain(
    installation: Installation, operations: Client, monkeypatch: Any
) -> None:
    create_alert(installation.order, installation.rule, 2)
    body = {"group": f"order:{installation.order.object_id}", "action": "acknowledge"}
    monkeypatch.setattr(alert_groups, "MAX_GROUP_ALERTS", 1)
    answer = post_group_action(operations, body)
    assert (answer.status_code, answer.json()["remaining"]) == (200, 1)
    assert [result["state"] for result in answer.json()["results"]] == ["acknowledged"]
    assert post_group_action(operations, body).json()["remaining"] == 0
    assert post_group_action(operations, body).status_code == 404
    assert Alert.objects.filter(state=AlertState.ACKNOWLEDGED).count() == 2
    assert post_group_action(operations, {**body, "until": "x"}).status_code == 400
    assert post_group_action(operations, {**body, "view": "x"}).status_code == 400
