"""The outbox: due notifications are grouped, sent once, with a stable id."""

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from connectors.sdk.settings import ParsedSettings, Setting
from tests.builders.alerts import alert, source_alert
from tests.builders.sources import create_source
from tests.builders.users import create_user
from visibility.db.database_time import database_now
from visibility.models import Notification, SlaClock, Subscription
from visibility.notify import outbox
from visibility.notify.channel import Channel, DeliveryFailed, OutgoingMessage
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
SECOND = timedelta(seconds=1)
NUMBERS = count()


class Post(Channel):
    """Records sent messages and fails on request."""

    code = "email"
    title = "Post"
    settings = (Setting("address", "Where."),)

    def __init__(self) -> None:
        self.sent: list[tuple[OutgoingMessage, str]] = []
        self.away = False
        self.poison = ""

    def send(self, note: OutgoingMessage, values: ParsedSettings) -> None:
        """Send."""
        if self.away:
            raise DeliveryFailed("nobody answers")
        if self.poison and self.poison in note.text:
            raise KeyError(self.poison)
        self.sent.append((note, values.text("address")))

    @property
    def subjects(self) -> list[str]:
        """Summarize what was sent."""
        return [note.subject for note, _ in self.sent]


@pytest.fixture
def post(monkeypatch: pytest.MonkeyPatch) -> Post:
    """Replace every channel."""
    channel = Post()
    monkeypatch.setattr(outbox, "channel_registry", lambda: {"email": channel})
    return channel


@pytest.fixture
def olga(db: None) -> Subscription:
    return subscribed("olga")


@pytest.fixture
def start(db: None) -> datetime:
    """A time at which everything the test created is due."""
    return database_now() + 60 * SECOND


def subscribed(name: str, role: UserRole | None = None) -> Subscription:
    user = create_user(role, name)
    return Subscription.objects.create(user=user, address=f"{name}@example.invalid")


def due(to: Subscription, many: int, **fields: Any) -> list[Notification]:
    return [
        Notification.objects.create(
            alert=alert(f"SO-{next(NUMBERS)}", **fields),
            episode=1,
            transition="opened",
            subscription=to,
        )
        for _ in range(many)
    ]


def test_notifications_due_together_are_one_message_per_subscription(
    post: Post, olga: Subscription, start: datetime
) -> None:
    otto = subscribed("otto")
    rows = due(olga, 500)
    number = due(otto, 1)[0].alert.order.order.number  # type: ignore[union-attr]
    assert outbox.send_due_notifications(now=start) == 501
    assert [to for _, to in post.sent] == ["olga@example.invalid", "otto@example.invalid"]
    assert post.subjects == [
        "[high] 500 alerts: Released orders ship within 4 h (500)",
        f"[high] {number}: Released 4 h ago and no ship confirmation",
    ]
    text = post.sent[0][0].text
    assert f"/alerts/{rows[0].alert_id}\n" in text
    assert text.endswith("... and 450 more.")
    assert "/alerts\n" in text
    assert not Notification.objects.exclude(state="sent").exists()
    assert outbox.send_due_notifications(now=start + timedelta(hours=1)) == 0


def test_most_severe_alert_is_first_and_names_its_order(
    post: Post, olga: Subscription, start: datetime
) -> None:
    due(olga, 1, severity="low")
    critical = due(olga, 1, severity="critical", title="Two\nlines")[0]
    Notification.objects.create(
        alert=source_alert(create_source()), episode=1, transition="opened", subscription=olga
    )
    outbox.send_due_notifications(now=start)
    (note, _) = post.sent[0]
    assert note.subject.startswith("[critical] 3 alerts: ")
    number = critical.alert.order.order.number  # type: ignore[union-attr]
    assert f"\n\n[critical] {number}: Two lines, due " in note.text
    assert "No data from WMS (1)" in note.text


def test_notifications_within_the_interval_wait_and_go_together(
    post: Post, olga: Subscription, start: datetime
) -> None:
    for second in range(60):
        due(olga, 1)
        outbox.send_due_notifications(now=start + second * SECOND)
    assert len(post.sent) == 2
    outbox.send_due_notifications(now=start + 90 * SECOND)
    assert len(post.sent) == 3
    assert not Notification.objects.exclude(state="sent").exists()


def test_subscription_within_its_interval_does_not_delay_others(
    post: Post, olga: Subscription, start: datetime
) -> None:
    due(olga, 1)
    outbox.send_due_notifications(now=start)
    due(olga, 1)
    due(subscribed("otto"), 1)
    assert outbox.send_due_notifications(now=start + SECOND) == 1
    assert post.sent[-1][1] == "otto@example.invalid"


@pytest.mark.parametrize("refused", [False, True])
@pytest.mark.parametrize("many", [1, 3])
def test_message_killed_after_sending_is_sent_again_with_the_same_id(
    post: Post,
    olga: Subscription,
    start: datetime,
    monkeypatch: pytest.MonkeyPatch,
    *,
    many: int,
    refused: bool,
) -> None:
    due(olga, many)
    if refused:
        post.away = True
        outbox.send_due_notifications(now=start)
        post.away, start = False, start + 300 * SECOND
    (letter,) = outbox._claim_due_notifications(start, 50)
    with monkeypatch.context() as patched:
        patched.setattr(outbox, "_queryset_of_notifications", killed)
        with pytest.raises(KeyboardInterrupt):
            outbox._send_batch(letter, start)
    due(olga, 2)
    assert outbox.send_due_notifications(now=start + 300 * SECOND) == many + 2
    first, *later = post.sent
    (second,) = [note for note, _ in later if note.id == first[0].id]
    assert (second.subject, second.alerts) == (first[0].subject, first[0].alerts)
    assert len(post.sent) == 3


def killed(*_: object) -> None:
    raise KeyboardInterrupt


def test_undelivered_notifications_go_together_with_new_ones(
    post: Post, olga: Subscription, start: datetime
) -> None:
    post.away = True
    due(olga, 3)
    assert outbox.send_due_notifications(now=start) == 0
    errors = set(Notification.objects.values_list("state", "error", "attempts"))
    assert errors == {("pending", "nobody answers", 1)}
    post.away = False
    due(olga, 2)
    assert outbox.send_due_notifications(now=start + 120 * SECOND) == 5
    assert post.subjects == ["[high] 5 alerts: Released orders ship within 4 h (5)"]


def test_notification_that_breaks_the_message_is_sent_alone(
    post: Post, olga: Subscription, start: datetime
) -> None:
    due(olga, 2)
    due(olga, 1, title="poison")
    post.poison = "poison"
    now = start
    for _ in range(40):
        outbox.send_due_notifications(now=now)
        now += timedelta(hours=3)
    states = sorted(Notification.objects.values_list("state", flat=True))
    assert states == ["failed", "sent", "sent"]


def test_message_names_order_customer_value_missing_step_and_local_times(
    post: Post, start: datetime, settings: Settings
) -> None:
    settings.TIME_ZONE = "America/Chicago"
    olga = subscribed("olga", UserRole.OPERATIONS)
    (row,) = due(
        olga,
        1,
        title_template="No ship confirmation {age} after the release",
        started_at=start - timedelta(hours=6),
        due_at=datetime(2026, 3, 4, 2, 30, tzinfo=UTC),
        broken=True,
    )
    create_source(title="Dallas")
    SlaClock.objects.update(expected_sources=["wms"])
    outbox.send_due_notifications(now=start)
    (note, _) = post.sent[0]
    number = row.alert.order.order.number  # type: ignore[union-attr]
    title = "No ship confirmation 6 h after the release"
    assert note.subject == f"[high] {number}: {title}"
    lines = note.personal_text.splitlines()
    assert lines[:5] == [
        title,
        f"Order: {number}",
        "Customer: Acme Tools",
        "Value at risk: 1,200.50 USD",
        "Missing: ship confirmation from Dallas",
    ]
    assert "Due: Tue, Mar 3, 20:30 CST" in lines
    assert note.alerts[0].title == title
    assert "Acme" not in note.text
    assert "1,200.50" not in note.text
    assert "Missing: ship confirmation from Dallas" in note.text


def test_digest_names_the_same_for_each_alert(
    post: Post, start: datetime, settings: Settings
) -> None:
    settings.TIME_ZONE = "America/Chicago"
    olga = subscribed("olga", UserRole.OPERATIONS)
    due(olga, 2, due_at=datetime(2026, 3, 4, 2, 30, tzinfo=UTC))
    outbox.send_due_notifications(now=start)
    text = post.sent[0][0].personal_text
    assert text.count("due Tue, Mar 3, 20:30 CST\n    Customer: Acme Tools. ") == 2
    assert text.count("Value at risk: 1,200.50 USD. Missing: ship confirmation\n") == 2


def test_user_who_may_not_see_prices_and_contacts_gets_none(post: Post, start: datetime) -> None:
    due(subscribed("ivan", UserRole.INTEGRATOR), 1)
    due(subscribed("erin", UserRole.EXECUTIVE), 1)
    outbox.send_due_notifications(now=start)
    integrator, executive = (note.personal_text for note, _ in post.sent)
    assert "Value" not in integrator
    assert "Value at risk: 1,200.50 USD" in executive
    assert "Acme" not in integrator + executive
