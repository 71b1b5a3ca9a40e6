"""Which alerts a subscription selects: rules, team, and fields of the order."""

import pytest

from tests.builders.alerts import alert, order
from tests.builders.sla_rules import create_rule
from tests.builders.users import user_of_role
from visibility.alerts.queue_notifications import queue_notifications
from visibility.models import Notification, Subscription
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, {"SO-1", "SO-2"}),
        ({"scope": {"warehouse": "DAL"}}, {"SO-1"}),
        ({"scope": {"warehouse": "DAL", "channel": "edi"}}, set()),
        ({"scope": {"customer_no": "C2"}}, {"SO-2"}),
        ({"scope": {"team": "Credit"}}, {"SO-2"}),
        ({"scope": {"team": "Nobody"}}, set()),
        ({"rules": ["its own"]}, {"SO-1", "SO-2"}),
        ({"rules": ["other", "another"]}, set()),
    ],
)
def test_only_alerts_in_scope_are_queued(fields: dict[str, object], expected: set[str]) -> None:
    rule = create_rule()
    if fields.get("rules") == ["its own"]:
        fields = {"rules": [rule.code, "another"]}
    Subscription.objects.create(user=user_of_role(UserRole.OPERATIONS), **fields)
    dallas = order("SO-1", warehouse="DAL", channel="web", customer_no="C1")
    other = order("SO-2", warehouse="ATL", channel="edi", customer_no="C2")
    rows = [alert(of=dallas, rule=rule), alert(of=other, rule=rule, team="Credit")]
    queue_notifications(rows, "opened")
    queued = Notification.objects.values_list("alert__order__order__number", flat=True)
    assert set(queued) == expected
