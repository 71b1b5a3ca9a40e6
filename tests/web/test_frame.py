"""The frame around every page: where one may go, the bell, who is here."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import Group, User
from django.template import engines
from django.template.loader import render_to_string
from django.test import Client
from pytest_django import DjangoAssertNumQueries
from pytest_django.fixtures import Settings

from tests.web.alert_cast import alert
from visibility.models import AlertState
from visibility.templatetags import formats
from visibility.web.context_processors import Bell, bell, person, sections
from visibility.web.permissions import Role

NAMES = {
    Role.CUSTOMER_SERVICE: ["Board", "Orders", "Alerts", "Joins"],
    Role.EXECUTIVE: ["Board", "Orders", "Alerts", "Numbers"],
    Role.OPERATIONS: ["Board", "Orders", "Alerts", "Numbers", "Joins", "Sources", "Mappings"],
    Role.INTEGRATOR: ["Board", "Orders", "Alerts", "Joins", "Sources", "Mappings"],
    Role.ADMIN: ["Board", "Orders", "Alerts", "Numbers", "Joins", "Sources", "Mappings"],
}


def somebody(role: Role | None, name: str = "olga") -> User:
    user = User.objects.create_user(name, first_name="Olga", last_name="Ek")
    if role:
        user.groups.add(Group.objects.get_or_create(name=role.value)[0])
    return user


@pytest.mark.django_db
@pytest.mark.parametrize("role", list(Role))
def test_the_rail_lists_what_the_role_may_open(role: Role) -> None:
    assert [entry.title for entry in sections(somebody(role), "/")] == NAMES[role]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "title", "here"),
    [
        ("/alerts", "Alerts", True),
        ("/alerts/7", "Alerts", False),
        ("/boards/service", "Board", False),
        ("/messages/3", "Sources", False),
        ("/search", "Orders", False),
    ],
)
def test_one_section_is_marked_also_on_the_pages_below_it(
    path: str, title: str, here: bool
) -> None:
    found = [entry for entry in sections(somebody(Role.ADMIN), path) if entry.active]
    assert [(entry.title, entry.here) for entry in found] == [(title, here)]


@pytest.mark.django_db
def test_the_bell_counts_mine_and_those_of_nobody() -> None:
    me, other = somebody(Role.OPERATIONS), somebody(Role.OPERATIONS, "nina")
    alert("SO-1", owner=me)
    alert("SO-2")
    alert("SO-3", owner=other)
    done = alert("SO-4", owner=me)
    type(done).objects.filter(pk=done.pk).update(state=AlertState.RESOLVED)
    found = bell(me)
    assert found is not None
    assert (found.count, found.label) == (2, "Alerts: 2 yours or unowned")


@pytest.mark.django_db
def test_the_bell_of_an_integrator_knows_the_alerts_of_sources_only() -> None:
    alert("SO-1")
    assert bell(somebody(Role.INTEGRATOR)) == Bell(0)


@pytest.mark.django_db
def test_nobody_without_a_role_has_a_bell_or_a_section() -> None:
    user = somebody(None)
    assert bell(user) is None
    assert sections(user, "/") == []
    assert person(user).role == "No role yet"


def test_a_bell_has_room_for_two_figures() -> None:
    assert [Bell(count).shown for count in (1, 99, 100)] == ["1", "99", "99+"]
    assert Bell(100).label == "Alerts: more than 99 yours or unowned"
    assert Bell(0).label == "Alerts: none of yours, none unowned"


@pytest.mark.django_db
def test_the_person_is_named_with_the_role() -> None:
    found = person(somebody(Role.CUSTOMER_SERVICE))
    assert (found.name, found.initials, found.role) == ("Olga Ek", "OE", "Customer service")
    assert person(User.objects.create_user("x")).initials == "X"


@pytest.mark.django_db
def test_the_frame_has_its_landmarks_once(client: Client, settings: Settings) -> None:
    settings.DEMO = True
    client.force_login(somebody(Role.OPERATIONS))
    page = client.get("/alerts").content.decode()
    for once in ("<h1", "<main", 'class="rail"', 'role="search"', 'id="freshness"', 'id="keys"'):
        assert page.count(once) == 1, once
    assert 'href="#main"' in page
    assert 'title="Demo: a simulated distributor"' in page
    assert re.search(r'href="/alerts" data-key="a"\s+aria-current="page"', page)
    assert not re.search(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)", page)
    assert not re.search(r"\son\w+=", page)


@pytest.mark.django_db
def test_hostile_names_stay_text(client: Client) -> None:
    user = somebody(Role.OPERATIONS)
    User.objects.filter(pk=user.pk).update(first_name="<script>alert(1)</script>")
    client.force_login(user)
    page = client.get("/alerts", {"q": '"><script>alert(2)</script>'}).content.decode()
    assert "<script>alert" not in page


@pytest.mark.django_db
def test_the_frame_asks_two_things_of_the_database(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    client.force_login(somebody(Role.OPERATIONS))
    with django_assert_num_queries(4):  # session, person; roles, the bell's count
        assert client.get("/no-such-page").status_code == 404


@pytest.mark.django_db
def test_a_missing_page_says_so_to_anybody(client: Client) -> None:
    page = client.get("/no-such-page").content.decode()
    assert "There is nothing at this address" in page
    assert 'class="rail"' not in page


@pytest.mark.django_db
def test_a_page_without_the_right_says_so_and_shows_the_way(client: Client) -> None:
    client.force_login(somebody(Role.CUSTOMER_SERVICE))
    answer = client.get("/numbers")
    assert answer.status_code == 403
    assert "You may not open this page" in answer.content.decode()
    assert 'class="rail"' in answer.content.decode()


def test_the_page_of_a_fault_needs_no_database() -> None:
    assert "This page could not be made" in render_to_string("500.html")


AT = datetime(2026, 11, 3, 14, 3, tzinfo=UTC)
NOW = AT + timedelta(hours=2)


def test_moments_are_relative_and_absolute_in_the_zone_of_the_organisation(
    settings: Settings,
) -> None:
    settings.TIME_ZONE = "America/Chicago"
    assert formats.ago(AT, NOW) == "2 h ago"
    assert (
        formats.when(AT, NOW)
        == '<time datetime="2026-11-03T14:03:00+00:00">2 h ago · Tue 3 Nov 08:03</time>'
    )


def test_amounts_carry_their_unit_and_nothing_is_never_zero() -> None:
    assert formats.money(Decimal("1234.5000"), "USD") == "1,234.50 USD"
    assert formats.money(Decimal("-3")) == "-3.00"
    assert formats.quantity(Decimal("1200.0000"), "EA") == "1,200 EA"
    assert formats.quantity(Decimal("0.5000"), "KG") == "0.5 KG"
    assert formats.quantity(Decimal("1E+3")) == "1,000"
    assert formats.quantity(0) == "0"
    assert formats.percent(Decimal("0.93449")) == "93.4 %"
    assert formats.duration(timedelta(days=2, hours=4)) == "2 d 4 h"
    assert formats.ago(None, NOW) == formats.when(None, NOW) == formats.NONE
    for say in (formats.duration, formats.money, formats.quantity, formats.percent):
        assert say(None) == formats.NONE


def test_hostile_units_and_currencies_are_escaped_in_templates() -> None:
    page = (
        engines["django"]
        .from_string("{% load trade %}{{ n|money:bad }}{{ n|quantity:bad }}")
        .render({"n": 1, "bad": "<script>"})
    )
    assert "<script>" not in page
