"""Scopes of people: an administrator limits a person to some channels, warehouses or customers."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.builders.alerts import alert, order
from tests.builders.kpi_facts import create_fact, recompute_cells
from tests.builders.users import create_user, signed_in
from visibility.db.data_scope import DataScope, active_scope, limited_to
from visibility.db.database_time import database_now
from visibility.models import (
    Alert,
    AlertEntry,
    AuditEntry,
    BackgroundExport,
    IdempotencyKey,
    Order,
    OrderNote,
    OrderWatch,
    PersonScope,
    ScreenLink,
    TrackingLink,
)
from visibility.web import screen_links
from visibility.web.permissions import Permission, UserRole, has_permission

pytestmark = pytest.mark.django_db
AD, OP, CS, EX, IN = (
    UserRole.ADMIN,
    UserRole.OPERATIONS,
    UserRole.CUSTOMER_SERVICE,
    UserRole.EXECUTIVE,
    UserRole.INTEGRATOR,
)
JSON = "application/json"
INSIDE, OUTSIDE = "SO-INSIDE", "SO-OUTSIDE"


@pytest.fixture
def admin() -> Client:
    return signed_in(AD)


@pytest.fixture
def orders() -> tuple[Order, Order]:
    """One order of the channel b2b, and one of the channel web."""
    texts = {"customer_no": "C-1", "customer_po": "PO-77", "warehouse": "DAL"}
    other = {"customer_no": "C-2", "customer_po": "PO-88", "customer_name": "Zenith"}
    return (
        order(INSIDE, channel="b2b", **texts),
        order(OUTSIDE, channel="web", warehouse="", **other),
    )


def limited(role: UserRole, name: str = "lim", **scope: list[str]) -> User:
    """A person who sees the channel b2b, or this scope."""
    user = create_user(role, name, first_name="Lim", last_name="Ited", email="lim@example.com")
    values = scope or {"channels": ["b2b"]}
    PersonScope.objects.create(user=user, changed_at=database_now(), **values)
    return user


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def form_of(user: User, **changed: Any) -> dict[str, Any]:
    return {"first_name": "Lim", "last_name": "Ited", "email": "lim@example.com", **changed}


def listed(client: Client) -> list[str]:
    return [row["number"] for row in client.get("/api/v1/orders").json()["items"]]


def test_a_scope_is_saved_on_the_page_of_the_person_and_audited(
    admin: Client, orders: tuple[Order, Order]
) -> None:
    user = create_user(CS, "lim")
    client = client_of(user)
    assert set(listed(client)) == {INSIDE, OUTSIDE}
    page = f"/people/{user.pk}"
    seen = admin.get(page).context["seen"]
    entered = form_of(
        user, role=CS.value, channels="b2b\r\nweb\r\n", warehouses="DAL", customers=""
    )
    assert admin.post(page, entered | {"seen": seen}).status_code == 302
    stored = PersonScope.objects.get(user=user)
    assert (stored.channels, stored.warehouses, stored.customers) == (["b2b", "web"], ["DAL"], [])
    # Values of one list are alternatives, and each list must allow the order.
    assert listed(client) == [INSIDE]
    detail = AuditEntry.objects.get(action="person.changed").detail
    assert detail["before"]["channels"] == []
    assert detail["after"]["channels"] == ["b2b", "web"]
    shown = admin.get(page).content.decode()
    assert ">b2b\nweb</textarea>" in shown
    assert "channels b2b and web; warehouse DAL" in client.get("/orders").content.decode()
    # Without values, the person sees everything again.
    seen = admin.get(page).context["seen"]
    empty = form_of(user, role=CS.value, channels="", warehouses=" ", customers="", seen=seen)
    assert admin.post(page, empty).status_code == 302
    assert not PersonScope.objects.exists()
    assert set(listed(client)) == {INSIDE, OUTSIDE}
    assert "You see orders of" not in client.get("/orders").content.decode()


def test_a_value_is_stored_as_orders_spell_it(admin: Client, orders: tuple[Order, Order]) -> None:
    user = create_user(CS, "lim")
    page = f"/people/{user.pk}"
    form = form_of(user, role=CS.value, channels="B2B", seen=admin.get(page).context["seen"])
    assert admin.post(page, form).status_code == 302
    assert PersonScope.objects.get().channels == ["b2b"]


@pytest.mark.parametrize(
    ("entered", "field", "sentence"),
    [
        ({"channels": "fax"}, "channels", "There is no channel fax."),
        ({"warehouses": "<b>"}, "warehouses", "There is no warehouse &lt;b&gt;."),
        ({"customers": "\n".join(f"C{n}" for n in range(201))}, "customers", "at most 200"),
        ({"channels": "b2b", "role": AD.value}, "channels", "Only customer service, exec"),
        ({"customers": "C-1", "role": IN.value}, "customers", "or choose another role."),
    ],
)
def test_errors_of_a_scope_are_at_their_field(
    entered: dict[str, str],
    field: str,
    sentence: str,
    admin: Client,
    orders: tuple[Order, Order],
) -> None:
    user = create_user(CS, "lim")
    page = f"/people/{user.pk}"
    seen = admin.get(page).context["seen"]
    answer = admin.post(page, form_of(user, role=CS.value, seen=seen) | entered)
    text = answer.content.decode()
    assert answer.status_code == 422
    assert sentence in text.partition(f'id="{field}-error"')[2].partition("</p>")[0]
    assert not PersonScope.objects.exists()
    invitation = form_of(user, username="new.one", role=CS.value) | entered
    invited = admin.post("/people/new", invitation)
    assert invited.status_code == 422
    assert f'id="{field}-error"' in invited.content.decode()
    assert not User.objects.filter(username="new.one").exists()


def test_a_person_with_a_scope_cannot_get_a_role_without_orders(
    admin: Client, orders: tuple[Order, Order]
) -> None:
    user = limited(CS)
    answer = admin.patch(f"/api/v1/people/{user.pk}", {"role": IN.value}, JSON)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["path"] == "channels"
    both: dict[str, Any] = {"role": IN.value, "channels": []}
    assert admin.patch(f"/api/v1/people/{user.pk}", both, JSON).status_code == 200


def test_the_invitation_and_the_api_set_a_scope(admin: Client, orders: tuple[Order, Order]) -> None:
    invitation = {"first_name": "Ann", "last_name": "Lee", "role": CS.value, "channels": "b2b"}
    assert admin.post("/people/new", invitation | {"username": "ann"}).status_code == 200
    assert PersonScope.objects.get(user__username="ann").channels == ["b2b"]
    body = {**invitation, "username": "bob", "channels": ["b2b"], "customers": ["C-1"]}
    created = admin.post("/api/v1/people", body, JSON)
    assert created.status_code == 201
    number = created.json()["id"]
    assert created.json()["customers"] == ["C-1"]
    changed = admin.patch(f"/api/v1/people/{number}", {"customers": []}, JSON).json()
    assert (changed["channels"], changed["customers"]) == (["b2b"], [])
    bad = admin.patch(f"/api/v1/people/{number}", {"warehouses": ["none"]}, JSON)
    assert bad.status_code == 400
    assert [error["path"] for error in bad.json()["errors"]] == ["warehouses"]
    assert admin.get(f"/api/v1/people/{number}").json()["warehouses"] == []


def test_two_administrators_who_change_a_scope_see_both_versions(
    admin: Client, orders: tuple[Order, Order]
) -> None:
    user = create_user(CS, "lim")
    page = f"/people/{user.pk}"
    seen = admin.get(page).context["seen"]
    first = form_of(user, role=CS.value, seen=seen, channels="b2b")
    assert admin.post(page, first).status_code == 302
    conflict = admin.post(page, first | {"channels": "web"})
    assert conflict.status_code == 409
    text = conflict.content.decode()
    assert "b2b" in text
    assert "web" in text
    assert PersonScope.objects.get().channels == ["b2b"]


def test_what_was_written_before_the_scope_cannot_be_read_after_it(
    admin: Client, orders: tuple[Order, Order]
) -> None:
    user = create_user(OP, "lim")
    now = database_now()
    BackgroundExport.objects.create(
        list="orders", query="", columns=[], owner=user, permissions=[], state="ready",
        requested_at=now,
    )  # fmt: skip
    client = client_of(user)
    headers = {"Idempotency-Key": "k1"}
    path = f"/api/v1/orders/{orders[1].pk}/note"
    assert client.post(path, {"text": "late"}, JSON, headers=headers).status_code in {200, 201}
    assert IdempotencyKey.objects.filter(user=user).exists()
    assert admin.patch(f"/api/v1/people/{user.pk}", {"channels": ["b2b"]}, JSON).status_code == 200
    assert not BackgroundExport.objects.exists()
    assert client.post(path, {"text": "late"}, JSON, headers=headers).status_code == 404
    assert OrderNote.objects.count() == 1


@pytest.mark.parametrize("role", [CS, EX, OP])
def test_permissions_without_orders_are_refused(role: UserRole) -> None:
    client = client_of(limited(role))
    for path in ("/sources", "/messages", "/joins", "/mappings", "/people", "/audit", "/system"):
        assert client.get(path).status_code == 403, path
    assert client.post("/rules/draft", {}).status_code == 403
    user = User.objects.get(username="lim")
    assert not has_permission(user, Permission.MATCHING_EDIT)
    assert has_permission(user, Permission.ORDERS)


def test_requests_about_an_order_outside_change_nothing(orders: tuple[Order, Order]) -> None:
    client, inside, outside = client_of(limited(OP)), *orders
    other = alert(of=outside)
    own = alert(of=inside)
    number = outside.pk
    for path, form in (
        (f"/orders/{number}/notes", {"note": "late"}),
        (f"/orders/{number}/watch", {}),
        (f"/orders/{number}/tracking-links", {"days": "30", "scope": "order"}),
        (f"/alerts/{other.pk}/acknowledge", {}),
        (f"/alerts/{other.pk}/note", {"note": "late"}),
        (f"/alerts/{other.pk}/resolve", {"note": "done"}),
    ):
        unknown = path.replace(str(number), "987654").replace(str(other.pk), "987654")
        assert client.post(path, form).status_code == 404, path
        assert client.post(unknown, form).status_code == 404, path
    for path, body in (
        (f"orders/{number}/note", {"text": "late"}),
        (f"orders/{number}/watch", {}),
        (f"orders/{number}/tracking-links", {"days": 30}),
        (f"alerts/{other.pk}/acknowledge", {}),
        (f"alerts/{other.pk}/assign", {"to": "me"}),
    ):
        assert client.post(f"/api/v1/{path}", body, JSON).status_code == 404, path
    answer = client.post(
        "/api/v1/alerts/bulk", {"ids": [other.pk, own.pk], "action": "acknowledge"}, JSON
    )
    results = {row["id"]: row["status"] for row in answer.json()["results"]}
    assert results[other.pk] == 404
    assert results[own.pk] == 200
    other.refresh_from_db()
    assert other.state == "open"
    assert not OrderNote.objects.exists()
    assert not OrderWatch.objects.exists()
    assert not TrackingLink.objects.exists()
    assert not AlertEntry.objects.filter(alert=other).exists()


def test_a_person_with_a_scope_works_on_orders_inside(orders: tuple[Order, Order]) -> None:
    user = limited(OP)
    client, inside = client_of(user), orders[0]
    own = alert(of=inside)
    create_user(CS, "ann")
    for path, form in (
        (f"/orders/{inside.pk}/notes", {"note": "@ann it ships today"}),
        (f"/orders/{inside.pk}/watch", {}),
        (f"/alerts/{own.pk}/acknowledge", {}),
        (f"/alerts/{own.pk}/note", {"note": "@ann called"}),
        (f"/alerts/{own.pk}/snooze", {"until": "4h"}),
        (f"/alerts/{own.pk}/resolve", {"note": "done"}),
    ):
        assert client.post(path, form).status_code in {200, 302}, path
    assert Alert.objects.get(pk=own.pk).state == "resolved"
    assert OrderNote.objects.get().user == user
    form = {"days": "30", "scope": "order"}
    assert client.post(f"/orders/{inside.pk}/tracking-links", form).status_code == 200
    # A link to all orders of the PO would show more than this person sees.
    of_po = client.post(f"/api/v1/orders/{inside.pk}/tracking-links", {"covers_po": True}, JSON)
    assert of_po.status_code == 400
    assert TrackingLink.objects.get().customer_po == ""


def test_kpi_values_are_those_of_the_facts_inside(orders: tuple[Order, Order]) -> None:
    day = database_now().date()
    create_fact(0.25, 1, day=day, order=orders[0].object)
    create_fact(1, 1, day=day, order=orders[1].object)
    recompute_cells()
    client, path = client_of(limited(EX)), f"/api/v1/kpis/fill_rate?from={day}&to={day}"
    assert signed_in(EX).get(path).json()["total"]["orders"] == 2
    value = client.get(path).json()["total"]
    assert (value["orders"], float(value["value"])) == (1, 0.25)
    listing = f"/api/v1/kpis/fill_rate/orders?outcome=missed&from={day}&to={day}"
    rows = client.get(listing).json()["items"]
    assert len(rows) == 1
    assert rows[0]["number"] == INSIDE
    page = client.get(f"/numbers/fill_rate?from={day}&to={day}").content.decode()
    assert "25" in page


def test_a_token_has_the_scope_of_its_owner(orders: tuple[Order, Order]) -> None:
    client = client_of(limited(CS))
    body = {"title": "Report", "permissions": ["orders"], "days": 30}
    token = client.post("/api/v1/tokens", body, JSON).json()["token"]
    program = Client(headers={"Authorization": f"Bearer {token}"})
    assert listed(program) == [INSIDE]
    assert program.get(f"/api/v1/orders/{orders[0].pk}").status_code == 200
    assert program.get(f"/api/v1/orders/{orders[1].pk}").status_code == 404
    assert set(listed(signed_in(AD))) == {INSIDE, OUTSIDE}
    refused = client.post("/api/v1/tokens", body | {"permissions": ["matching_see"]}, JSON)
    assert refused.status_code == 400


def test_a_screen_shows_the_scope_of_who_created_its_link(orders: tuple[Order, Order]) -> None:
    for each in orders:
        alert(of=each)
    user = limited(OP)
    client = client_of(user)
    form = {"title": "Wall", "boards": "operations", "days": "30", "every": "30"}
    assert client.post("/screen-links", form).status_code in {200, 302}
    page = Client().get(screen_links.screen_link_path(ScreenLink.objects.get())).content.decode()
    assert INSIDE in page
    assert OUTSIDE not in page


def test_orders_without_a_value_are_outside(orders: tuple[Order, Order]) -> None:
    order("SO-NEW", channel="b2b", warehouse="")
    assert listed(client_of(limited(CS, warehouses=["DAL"]))) == [INSIDE]
    assert listed(client_of(limited(CS, "ann", customers=["C-2"]))) == [OUTSIDE]


def test_a_person_without_a_scope_pays_nothing(orders: tuple[Order, Order]) -> None:
    client = signed_in(CS)
    client.get("/orders")
    with CaptureQueriesContext(
        connection,
    ) as statements:
        assert client.get("/orders").status_code == 200
    texts = [entry["sql"] for entry in statements.captured_queries]
    assert not [text for text in texts if text.startswith("SET ")]
    # Roles and scope are loaded together, once.
    assert len([text for text in texts if "visibility_personscope" in text]) == 1
    assert len([text for text in texts if "auth_user_groups" in text]) == 1


def count_then_fail(scope: DataScope | None, expected: int) -> None:
    """Apply a scope in a transaction that is rolled back."""
    with transaction.atomic():
        with limited_to(scope):
            assert Order.objects.count() == expected
        raise ZeroDivisionError


def test_a_rollback_does_not_lift_the_scope(orders: tuple[Order, Order]) -> None:
    scope = DataScope(1, channels=("b2b",))
    with pytest.raises(ZeroDivisionError):
        count_then_fail(scope, 1)
    with limited_to(scope):
        with pytest.raises(ZeroDivisionError):
            count_then_fail(None, 2)
        assert Order.objects.count() == 1
        with transaction.atomic(), limited_to(None):
            assert Order.objects.count() == 2
        assert Order.objects.count() == 1
    assert active_scope() is None
    assert Order.objects.count() == 2


def test_values_cannot_break_out_of_the_scope(orders: tuple[Order, Order]) -> None:
    for value in ("'; RESET search_path; --", '","web', "{b2b", "}", "\\", "a,b", "NULL", '"'):
        with limited_to(DataScope(1, channels=(value,))):
            assert Order.objects.count() == 0, value
    odd = order("SO-ODD", channel="a\"b\\c,{d}'e")
    with limited_to(DataScope(1, channels=(odd.channel,))):
        assert [row.number for row in Order.objects.all()] == ["SO-ODD"]
