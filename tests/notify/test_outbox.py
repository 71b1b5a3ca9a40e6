"""The outbox: what is due together goes together, once, under an id that stays."""

from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest
from django.contrib.auth.models import User

from tests.web.alert_cast import alert, source, source_alert
from visibility.db.clock import database_now
from visibility.models import Notification, Subscription
from visibility.notify import outbox
from visibility.notify.channel import Channel, Note, Undelivered

pytestmark = pytest.mark.django_db
SECOND = timedelta(seconds=1)
NUMBERS = count()


class Post(Channel):
    """Keeps what it is given; refuses what it is told to."""

    code = "email"
    title = "Post"

    def __init__(self) -> None:
        self.sent: list[tuple[Note, str]] = []
        self.away = False
        self.poison = ""

    def send(self, note: Note, address: str) -> None:
        """Send."""
        if self.away:
            raise Undelivered("nobody answers")
        if self.poison and self.poison in note.text:
            raise KeyError(self.poison)
        self.sent.append((note, address))

    @property
    def subjects(self) -> list[str]:
        """What was sent, in short."""
        return [note.subject for note, _ in self.sent]


@pytest.fixture
def post(monkeypatch: pytest.MonkeyPatch) -> Post:
    """The only channel."""
    made = Post()
    monkeypatch.setattr(outbox, "channels", lambda: {"email": made})
    return made


@pytest.fixture
def olga(db: None) -> Subscription:
    return subscribed("olga")


@pytest.fixture
def start(db: None) -> datetime:
    """A moment by which whatever a test has made is due."""
    return database_now() + 60 * SECOND


def subscribed(name: str) -> Subscription:
    user = User.objects.create(username=name)
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


def test_what_is_due_together_is_one_message_to_each(
    post: Post, olga: Subscription, start: datetime
) -> None:
    otto = subscribed("otto")
    rows = due(olga, 500)
    due(otto, 1)
    assert outbox.deliver(now=start) == 501
    assert [to for _, to in post.sent] == ["olga@example.invalid", "otto@example.invalid"]
    assert post.subjects == [
        "[high] 500 alerts: Released orders ship within 4 h (500)",
        "[high] Released 4 h ago and no ship confirmation",
    ]
    text = post.sent[0][0].text
    assert f"/alerts/{rows[0].alert_id}\n" in text
    assert text.endswith("... and 450 more.")
    assert "/alerts\n" in text
    assert not Notification.objects.exclude(state="sent").exists()
    assert outbox.deliver(now=start + timedelta(hours=1)) == 0


def test_the_worst_stands_first_and_says_which_order(
    post: Post, olga: Subscription, start: datetime
) -> None:
    due(olga, 1, severity="low")
    critical = due(olga, 1, severity="critical", title="Two\nlines")[0]
    Notification.objects.create(
        alert=source_alert(source()), episode=1, transition="opened", subscription=olga
    )
    outbox.deliver(now=start)
    (note, _) = post.sent[0]
    assert note.subject.startswith("[critical] 3 alerts: ")
    number = critical.alert.order.order.number  # type: ignore[union-attr]
    assert f"\n\n[critical] {number}: Two lines, due " in note.text
    assert "WMS has been silent (1)" in note.text


def test_what_comes_right_after_waits_and_goes_together(
    post: Post, olga: Subscription, start: datetime
) -> None:
    for second in range(60):
        due(olga, 1)
        outbox.deliver(now=start + second * SECOND)
    assert len(post.sent) == 2
    outbox.deliver(now=start + 90 * SECOND)
    assert len(post.sent) == 3
    assert not Notification.objects.exclude(state="sent").exists()


def test_one_that_must_wait_holds_nobody_else_up(
    post: Post, olga: Subscription, start: datetime
) -> None:
    due(olga, 1)
    outbox.deliver(now=start)
    due(olga, 1)
    due(subscribed("otto"), 1)
    assert outbox.deliver(now=start + SECOND) == 1
    assert post.sent[-1][1] == "otto@example.invalid"


@pytest.mark.parametrize("refused", [False, True])
@pytest.mark.parametrize("many", [1, 3])
def test_a_kill_between_sending_and_recording_repeats_the_message_under_its_id(
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
        outbox.deliver(now=start)
        post.away, start = False, start + 300 * SECOND
    (letter,) = outbox._claim(start, 50)
    with monkeypatch.context() as patched:
        patched.setattr(outbox, "_of", killed)
        with pytest.raises(KeyboardInterrupt):
            outbox._send(letter, start)
    due(olga, 2)
    assert outbox.deliver(now=start + 300 * SECOND) == many + 2
    first, *later = post.sent
    (again,) = [note for note, _ in later if note.id == first[0].id]
    assert again == first[0]
    assert len(post.sent) == 3


def killed(*_: object) -> None:
    raise KeyboardInterrupt


def test_what_a_receiver_did_not_take_goes_together_with_what_came_meanwhile(
    post: Post, olga: Subscription, start: datetime
) -> None:
    post.away = True
    due(olga, 3)
    assert outbox.deliver(now=start) == 0
    errors = set(Notification.objects.values_list("state", "error", "attempts"))
    assert errors == {("pending", "nobody answers", 1)}
    post.away = False
    due(olga, 2)
    assert outbox.deliver(now=start + 120 * SECOND) == 5
    assert post.subjects == ["[high] 5 alerts: Released orders ship within 4 h (5)"]


def test_one_that_spoils_the_message_spoils_only_its_own(
    post: Post, olga: Subscription, start: datetime
) -> None:
    due(olga, 2)
    due(olga, 1, title="poison")
    post.poison = "poison"
    now = start
    for _ in range(40):
        outbox.deliver(now=now)
        now += timedelta(hours=3)
    states = sorted(Notification.objects.values_list("state", flat=True))
    assert states == ["failed", "sent", "sent"]
