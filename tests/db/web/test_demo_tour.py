"""The tour of the demo: steps by role, done by what a person opens and does, and hiding it."""

import re

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django.fixtures import Settings

from tests.builders.alerts import alert, order
from tests.builders.users import signed_in, user_of_role
from visibility.db.database_time import database_now
from visibility.models import Alert, DemoTourEntry, TrackingLink
from visibility.models.audit import append_audit_entry
from visibility.screens.tracking.orders_of_link import tracking_path
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
CS, EX, OP, IN, AD = (
    UserRole.CUSTOMER_SERVICE,
    UserRole.EXECUTIVE,
    UserRole.OPERATIONS,
    UserRole.INTEGRATOR,
    UserRole.ADMIN,
)
TITLES = {
    "Find PO 4711": "find",
    "Read why it is late": "why",
    "Acknowledge an alert by keyboard": "acknowledge",
    "Open the orders that the fill rate missed": "missed",
    "Fix and replay a parked message": "replay",
    "Open the page of the customer": "customer",
}


@pytest.fixture(autouse=True)
def demo(settings: Settings) -> None:
    settings.DEMO = True


@pytest.fixture
def late() -> Alert:
    return alert("SO-4711", of=order("SO-4711", customer_po="4711", customer_no="C1"))


def steps(client: Client) -> dict[str, str]:
    """`Done` or `Open` of each step of the page."""
    page = client.get("/tour").content.decode()
    shown = re.findall(r"(Done|Open)</span></span>\s*<div><h2>(.*?)</h2>", page)
    return {TITLES[title]: state for state, title in shown}


def done(client: Client) -> set[str]:
    return {code for code, state in steps(client).items() if state == "Done"}


@pytest.mark.parametrize(
    ("role", "codes"),
    [
        (CS, {"find", "why", "customer"}),
        (EX, {"find", "why", "missed"}),
        (OP, {"find", "why", "acknowledge", "missed", "customer"}),
        (IN, {"find", "replay"}),
        (AD, set(TITLES.values())),
    ],
)
def test_a_person_sees_the_steps_of_their_role(
    role: UserRole, codes: set[str], late: Alert
) -> None:
    client = signed_in(role)
    assert set(steps(client)) == codes
    page = client.get("/orders").content.decode()
    assert f"of the demo: 0 of {len(codes)} steps done" in page
    for url in re.findall(
        r'<a class="btn[^"]*" href="(/[^"]*)">', client.get("/tour").content.decode()
    ):
        answer = client.get(url.replace("&amp;", "&").partition("#")[0], follow=True)
        assert answer.status_code == 200, url


def test_steps_are_done_by_opening_their_pages(late: Alert) -> None:
    admin = signed_in(AD)
    assert late.order
    other = alert("SO-9")
    assert other.order
    # Other orders and alerts, and the other groups of orders, are not those of the tour.
    for url in (
        f"/orders/{other.order.pk}",
        f"/alerts/{other.pk}",
        "/numbers/fill_rate/orders?part=counted",
    ):
        assert admin.get(url).status_code == 200
    assert done(admin) == set()
    admin.get(f"/orders/{late.order.pk}")
    admin.get(f"/orders/{late.order.pk}")
    assert done(admin) == {"find"}
    admin.get(f"/alerts/{late.pk}")
    assert done(admin) == {"find", "why"}
    admin.get("/numbers/fill_rate/orders?part=missed")
    assert done(admin) == {"find", "why", "missed"}
    assert done(signed_in(OP)) == set()


def test_the_page_of_the_customer_counts_for_the_person_who_made_the_link(late: Alert) -> None:
    admin = signed_in(AD)
    assert late.order
    admin.post(f"/orders/{late.order.pk}/tracking-links", {"days": "30", "scope": "order"})
    assert done(admin) == set()
    opened = Client().get(tracking_path(TrackingLink.objects.get()))
    assert opened.status_code == 200
    assert not opened.cookies
    assert done(admin) == {"customer"}


def test_actions_are_done_by_the_audit_log(late: Alert) -> None:
    operations, admin = signed_in(OP), signed_in(AD)
    operations.post(f"/alerts/{late.pk}/acknowledge")
    assert done(operations) == {"acknowledge"}
    assert done(admin) == set()
    append_audit_entry(
        "message.replay", user=user_of_role(AD), object="2 messages", detail={}, now=database_now()
    )
    assert done(admin) == {"replay"}
    assert "1 of 6 steps are done" in admin.get("/tour").content.decode()


def test_a_person_hides_the_tour_for_themselves_and_gets_it_back(late: Alert) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(user_of_role(OP))
    strict.get("/tour")
    assert strict.post("/tour/hide").status_code == 403
    token = {"csrfmiddlewaretoken": strict.cookies["csrftoken"].value}
    assert strict.post("/tour/hide", token).status_code == 302
    link = '<a href="/tour">Tour <span'
    assert link not in strict.get("/orders").content.decode()
    assert '<a href="/tour">Tour of the demo</a>' in strict.get("/orders").content.decode()
    assert link in signed_in(AD).get("/orders").content.decode()
    strict.post("/tour/show", token)
    assert link in strict.get("/orders").content.decode()


def test_outside_a_demo_there_is_no_tour(settings: Settings, late: Alert) -> None:
    settings.DEMO = False
    admin = signed_in(AD)
    assert late.order
    for url in ("/orders", f"/orders/{late.order.pk}", f"/alerts/{late.pk}"):
        assert "/tour" not in admin.get(url).content.decode()
    assert admin.get("/tour").status_code == 404
    assert admin.post("/tour/hide").status_code == 404
    assert not DemoTourEntry.objects.exists()


def test_people_without_a_role_have_no_steps() -> None:
    client = Client()
    client.force_login(User.objects.create_user("new"))
    assert steps(client) == {}
    assert "Tour <span" not in client.get("/tour").content.decode()
