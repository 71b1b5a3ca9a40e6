"""A word that nobody has mapped is told at first sight, once, until it means something."""

from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from tests.master.conftest import put, settle, told
from visibility.alerts import actions, unmapped_statuses
from visibility.alerts.sweep import sweep
from visibility.models import Alert, Event, NeverMap, Source
from visibility.models.master import WordTable

pytestmark = pytest.mark.django_db
WORD = "PRT_SHP"


def standing() -> list[tuple[str, str]]:
    found = Alert.objects.filter(source__isnull=False).order_by("pk")
    return [(alert.obligation, alert.state) for alert in found]


def means(now: datetime) -> None:
    row = {"table": "status", "source": "erp", "theirs": WORD, "ours": "order.released"}
    put("mapping", row, now=now)
    settle()


def test_a_word_is_told_once_however_often_it_is_said(erp: Source, now: datetime) -> None:
    for number in range(3):
        told(erp, f"SO-{number}", "A-1", word=WORD)
    told(erp, "SO-9", "A-1")
    settle()
    assert unmapped_statuses.unknown(now=now) == 1
    assert unmapped_statuses.unknown(now=now) == 0
    assert standing() == [(f"word {WORD}", "open")]
    assert Alert.objects.get().title == f"{erp.title} says “{WORD}”, a word that nobody has mapped"


def test_it_closes_once_the_word_is_mapped(erp: Source, now: datetime) -> None:
    told(erp, "SO-1", "A-1", word=WORD)
    settle()
    sweep(now=now)
    means(now)
    sweep(now=now)
    assert standing() == [(f"word {WORD}", "resolved")]
    assert Alert.objects.get().resolution == unmapped_statuses.MAPPED
    assert unmapped_statuses.unknown(now=now) == 0


def test_it_closes_once_the_word_was_set_aside(erp: Source, now: datetime) -> None:
    told(erp, "SO-1", "A-1", word=WORD)
    settle()
    sweep(now=now)
    NeverMap.objects.create(table=WordTable.STATUS, source="erp", word=WORD, decided_at=now)
    sweep(now=now)
    assert standing() == [(f"word {WORD}", "resolved")]


def test_who_closed_it_by_hand_is_left_in_peace(erp: Source, now: datetime) -> None:
    told(erp, "SO-1", "A-1", word=WORD)
    settle()
    sweep(now=now)
    somebody = User.objects.create(username="ivan")
    actions.resolve(Alert.objects.get().pk, by=somebody, now=now, note="Known to be noise.")
    assert unmapped_statuses.unknown(now=now) == 0
    assert standing() == [(f"word {WORD}", "resolved")]


def test_a_source_that_renamed_everything_is_no_storm(
    erp: Source,
    now: datetime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(unmapped_statuses, "MOST", 2)
    for number in range(4):
        told(erp, f"SO-{number}", "A-1", word=f"W-{number}")
    told(erp, "SO-8", "A-1", word="x" * 300)
    told(erp, "SO-9", "A-1", word="x" * 301)
    settle()
    assert unmapped_statuses.unknown(now=now) == 2
    assert unmapped_statuses.unknown(now=now) == 0
    monkeypatch.setattr(unmapped_statuses, "MOST", 20)
    assert unmapped_statuses.unknown(now=now) == 3
    assert Event.objects.filter(type="unmapped").count() == 6


def test_the_alert_says_what_it_is_about_and_leads_to_the_mapping(
    erp: Source,
    now: datetime,
) -> None:
    told(erp, "SO-1", "A-1", word="<b>&")
    settle()
    sweep(now=now + timedelta(seconds=1))
    integrator = User.objects.create(username="ivan")
    integrator.groups.add(Group.objects.get_or_create(name="integrator")[0])
    client = Client()
    client.force_login(integrator)
    page = client.get(f"/alerts/{Alert.objects.get().pk}").content.decode()
    assert "is none of our words for what happens" in page
    assert "once the word is mapped" in page
    assert "Open for" in page
    assert "Over by" not in page
    assert "silent" not in page.split("<main")[1]
    link = page.split('href="/mappings/mapping/new?')[1].split('"')[0]
    assert link == "table=status&amp;source=erp&amp;theirs=%3Cb%3E%26"
    assert "<b>&" not in page
    form = client.get(f"/mappings/mapping/new?{link.replace('&amp;', '&')}").content.decode()
    assert "&lt;b&gt;&amp;" in form
