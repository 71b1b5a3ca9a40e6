"""The page frame: navigation, alert badge, user menu, error pages and template filters."""

import gzip
import re
from html import unescape

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import DjangoAssertNumQueries
from pytest_django.fixtures import Settings

from tests.builders.alerts import alert
from tests.builders.users import create_user
from visibility.models import AlertState
from visibility.web.context_processors import (
    OwnOrUnassignedAlertBadge,
    nav_items,
    own_or_unassigned_alert_badge,
    user_summary,
)
from visibility.web.permissions import UserRole

NAMES = {
    UserRole.CUSTOMER_SERVICE: ["Board", "Orders", "Alerts", "Matching"],
    UserRole.EXECUTIVE: ["Board", "Orders", "Alerts", "KPIs"],
    UserRole.OPERATIONS: [
        *("Board", "Orders", "Alerts", "KPIs", "Matching", "Sources", "Mappings", "Rules"),
        "Subscriptions",
    ],
    UserRole.INTEGRATOR: [
        "Board",
        "Orders",
        "Alerts",
        "Matching",
        "Sources",
        "Mappings",
        "Subscriptions",
    ],
    UserRole.ADMIN: [
        *("Board", "Orders", "Alerts", "KPIs", "Matching", "Sources", "Mappings", "Rules"),
        *("Subscriptions", "People", "Set-up", "Organization", "Audit log", "System"),
    ],
}


@pytest.mark.django_db
@pytest.mark.parametrize("role", list(UserRole))
def test_navigation_lists_the_sections_of_the_role(role: UserRole) -> None:
    assert [entry.title for entry in nav_items(create_user(role), "/")] == NAMES[role]


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
def test_section_is_active_on_its_subpages(path: str, title: str, here: bool) -> None:
    active = [entry for entry in nav_items(create_user(UserRole.ADMIN), path) if entry.is_active]
    assert [(entry.title, entry.is_current) for entry in active] == [(title, here)]


@pytest.mark.django_db
def test_badge_counts_own_and_unassigned_alerts() -> None:
    me, other = create_user(UserRole.OPERATIONS), create_user(UserRole.OPERATIONS, "nina")
    alert("SO-1", owner=me)
    alert("SO-2")
    alert("SO-3", owner=other)
    done = alert("SO-4", owner=me)
    type(done).objects.filter(pk=done.pk).update(state=AlertState.RESOLVED)
    badge = own_or_unassigned_alert_badge(me)
    assert badge is not None
    assert (badge.count, badge.accessible_label) == (2, "Alerts: 2 yours or unassigned")


@pytest.mark.django_db
def test_badge_opens_exactly_the_alerts_that_it_counts(client: Client) -> None:
    me, other = create_user(UserRole.OPERATIONS), create_user(UserRole.OPERATIONS, "nina")
    alert("SO-1", owner=me)
    alert("SO-2")
    alert("SO-3", owner=other)
    alert("SO-4", owner=me, state=AlertState.SNOOZED)
    client.force_login(me)
    page = client.get("/alerts").content.decode()
    badge = re.search(r'id="bell"[^>]*><a href="([^"]+)" data-count-of-list="2"', page)
    assert badge
    listed = client.get(unescape(badge[1])).content.decode()
    assert 'data-list-rows="2"' in listed
    assert set(re.findall(r"SO-\d", listed)) == {"SO-1", "SO-2"}
    assert re.search(r'aria-current="page">Mine or unassigned', listed)


def test_badge_of_many_alerts_promises_no_number() -> None:
    assert OwnOrUnassignedAlertBadge(99).is_complete
    assert not OwnOrUnassignedAlertBadge(100).is_complete


@pytest.mark.django_db
def test_badge_of_integrators_counts_alerts_of_sources_only() -> None:
    alert("SO-1")
    assert own_or_unassigned_alert_badge(
        create_user(UserRole.INTEGRATOR)
    ) == OwnOrUnassignedAlertBadge(0)


@pytest.mark.django_db
def test_user_without_a_role_has_no_badge_and_no_sections() -> None:
    user = create_user(None)
    assert own_or_unassigned_alert_badge(user) is None
    assert nav_items(user, "/") == []
    assert user_summary(user).role == "No role yet"


@pytest.mark.django_db
def test_user_menu_shows_name_and_role() -> None:
    menu = user_summary(create_user(UserRole.CUSTOMER_SERVICE, first_name="Olga", last_name="Ek"))
    assert (menu.name, menu.initials, menu.role) == ("Olga Ek", "OE", "Customer service")
    assert user_summary(User.objects.create_user("x")).initials == "X"


@pytest.mark.django_db
def test_landmarks_are_unique(client: Client, settings: Settings) -> None:
    settings.DEMO = True
    client.force_login(create_user(UserRole.OPERATIONS))
    page = client.get("/alerts").content.decode()
    for once in ("<h1", "<main", 'class="rail"', 'role="search"', 'id="freshness"', 'id="keys"'):
        assert page.count(once) == 1, once
    assert 'href="#main"' in page
    assert 'title="Demo data from a simulated distributor"' in page
    assert re.search(r'href="/alerts" data-key="a"\s+aria-current="page"', page)
    assert not re.search(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)", page)
    assert not re.search(r"\son\w+=", page)


@pytest.mark.django_db
def test_user_names_are_escaped(client: Client) -> None:
    user = create_user(UserRole.OPERATIONS)
    User.objects.filter(pk=user.pk).update(first_name="<script>alert(1)</script>")
    client.force_login(user)
    page = client.get("/alerts", {"q": '"><script>alert(2)</script>'}).content.decode()
    assert "<script>alert" not in page


@pytest.mark.django_db
def test_frame_runs_two_queries(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    client.force_login(create_user(UserRole.OPERATIONS))
    with django_assert_num_queries(4):  # session and user; roles and badge count
        assert client.get("/no-such-page").status_code == 404


@pytest.mark.django_db
def test_missing_page_without_sign_in(client: Client) -> None:
    page = client.get("/no-such-page").content.decode()
    assert "Page not found" in page
    assert 'class="rail"' not in page


@pytest.mark.django_db
def test_forbidden_page_shows_the_navigation(client: Client) -> None:
    client.force_login(create_user(UserRole.CUSTOMER_SERVICE))
    response = client.get("/numbers")
    assert response.status_code == 403
    assert "No access to this page" in response.content.decode()
    assert 'class="rail"' in response.content.decode()


@pytest.mark.django_db
def test_pages_are_compressed_and_other_responses_are_not() -> None:
    client = Client(headers={"accept-encoding": "gzip"})
    client.force_login(create_user(UserRole.ADMIN))
    page = client.get("/orders")
    assert page.headers["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in page.headers["Vary"]
    assert b"<h1>Orders</h1>" in gzip.decompress(page.content)
    # Random bytes in the header hide the length of the page (BREACH); the CSRF token is masked.
    assert len({len(client.get("/orders").content) for _ in range(8)}) > 1
    assert "Content-Encoding" not in client.get("/api/v1/orders").headers
    assert "Content-Encoding" not in Client().get("/healthz").headers
    plain = Client(headers={"accept-encoding": "identity"})
    plain.force_login(create_user(UserRole.OPERATIONS))
    assert "Content-Encoding" not in plain.get("/orders").headers
