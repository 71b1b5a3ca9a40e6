"""Notes on orders, mentions and watching: in the browser and over the API, with an audit entry."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.builders.sources import ERP_NUMBERS, create_source, store_story
from tests.builders.users import signed_in, user_of_role
from visibility.models import AuditEntry, BusinessObject, Order, OrderMention, OrderNote, OrderWatch
from visibility.pipeline import job_functions
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
CS, EX, OP, IN = (
    UserRole.CUSTOMER_SERVICE,
    UserRole.EXECUTIVE,
    UserRole.OPERATIONS,
    UserRole.INTEGRATOR,
)


@pytest.fixture
def order() -> Order:
    source = create_source("desk", title="Order desk", role="erp", config=dict(ERP_NUMBERS))
    number = {"number": "SO-1", "po": "PO-7", "customer": "C1"}
    first: dict[str, Any] = {"order": number}
    second: dict[str, Any] = {"order": {**number, "number": "SO-2"}}
    shipped = {**first, "shipment": "S1", "tracking": "1Z999", "attributes": {"carrier": "UPS"}}
    store_story(
        {"desk": source},
        [
            ("desk", "order.received", "2026-03-02T15:00:00Z", first),
            ("desk", "order.received", "2026-03-02T16:00:00Z", second),
            ("desk", "shipment.confirmed", "2026-03-03T15:00:00Z", shipped),
        ],
    )
    job_functions.process_messages_and_refold()
    return Order.objects.get(number="SO-1")


def page_of(client: Client, path: str) -> str:
    response = client.get(path)
    assert response.status_code == 200
    return response.content.decode()


def test_note_is_shown_on_the_order_and_to_the_colleague_it_mentions(order: Order) -> None:
    clerk, lead = signed_in(CS), signed_in(OP)
    path = f"/orders/{order.pk}"
    text = "@operations <b>call</b> Nora, cc @nobody.here"
    answer = clerk.post(f"{path}/notes", {"note": text, "next": path}, follow=True)
    assert answer.redirect_chain == [(path, 302)]
    page = answer.content.decode()
    assert "Mentioned: operations." in page
    assert "No colleague has the username nobody.here." in page
    assert "&lt;b&gt;call&lt;/b&gt; Nora" in page
    assert "Your team" in page.partition('id="order-lanes"')[2]
    assert "call&lt;/b&gt; Nora" in page_of(lead, f"{path}?tab=notes")
    assert "call&lt;/b&gt; Nora" in page_of(lead, "/mentions")
    assert "Nora" not in page_of(clerk, "/mentions")
    entry = AuditEntry.objects.get(action="order.noted")
    assert (entry.user, entry.object) == (user_of_role(CS), f"order {order.pk}")


def test_notes_need_a_permission_to_write_and_to_read(order: Order) -> None:
    signed_in(CS).post(f"/orders/{order.pk}/notes", {"note": "Ask for Nora"})
    for role in (EX, IN):
        client = signed_in(role)
        assert client.post(f"/orders/{order.pk}/notes", {"note": "x"}).status_code == 403
        for path in (f"/orders/{order.pk}", f"/orders/{order.pk}?tab=notes", "/mentions"):
            assert "Ask for Nora" not in page_of(client, path)
        assert client.get(f"/api/v1/orders/{order.pk}/notes").status_code == 403
        body = {"text": "x"}
        call = client.post(f"/api/v1/orders/{order.pk}/note", body, "application/json")
        assert call.status_code == 403
    assert OrderNote.objects.count() == 1


def test_note_form_needs_the_csrf_token_and_a_text(order: Order) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(user_of_role(CS))
    assert strict.post(f"/orders/{order.pk}/notes", {"note": "x"}).status_code == 403
    page = signed_in(CS).post(f"/orders/{order.pk}/notes", {"note": "  "}, follow=True)
    assert "Enter a note." in page.content.decode()
    assert signed_in(CS).post("/orders/999999/notes", {"note": "x"}).status_code == 404
    assert not OrderNote.objects.exists()


def test_order_is_watched_and_unwatched(order: Order) -> None:
    executive = signed_in(EX)
    executive.post(f"/orders/{order.pk}/watch")
    executive.post(f"/orders/{order.pk}/watch")
    page = page_of(executive, f"/orders/{order.pk}")
    assert "1 watching" in page
    assert "Stop watching" in page
    assert f'href="/orders/{order.pk}"' in page_of(executive, "/mentions")
    executive.post(f"/orders/{order.pk}/unwatch")
    assert not OrderWatch.objects.exists()
    actions = AuditEntry.objects.filter(action__contains="watched").values_list("action", flat=True)
    assert sorted(actions) == ["order.unwatched", "order.watched"]


def test_api_does_the_same_and_is_idempotent(order: Order) -> None:
    clerk, lead = signed_in(CS), signed_in(OP)
    path = f"/api/v1/orders/{order.pk}"
    for _ in range(2):
        body, key = {"text": "@operations late"}, {"Idempotency-Key": "1"}
        note: Any = clerk.post(f"{path}/note", body, "application/json", headers=key)
        assert note.status_code == 201
    assert note.json()["mentions"] == ["operations"]
    notes: Any = lead.get(f"{path}/notes").json()
    assert [each["text"] for each in notes["items"]] == ["@operations late"]
    mentions: Any = lead.get("/api/v1/mentions").json()
    assert [each["order"] for each in mentions["items"]] == [order.pk]
    watched: Any = lead.post(f"{path}/watch", {}, "application/json").json()
    assert (watched["watching"], len(watched["watchers"])) == (True, 1)
    assert lead.post(f"{path}/unwatch", {}, "application/json").json()["watchers"] == []
    assert clerk.post(f"{path}/note", {"text": " "}, "application/json").status_code == 400


def test_notes_and_watches_follow_a_merged_order(order: Order) -> None:
    clerk = signed_in(CS)
    merged = BusinessObject.objects.create(kind="order")
    note = OrderNote.objects.create(order=merged, user=user_of_role(CS), text="From before")
    OrderMention.objects.create(note=note, user=user_of_role(CS))
    OrderWatch.objects.create(order=merged, user=user_of_role(CS))
    BusinessObject.objects.filter(pk=merged.pk).update(merged_into=order.pk)
    page = page_of(clerk, f"/orders/{order.pk}?tab=notes")
    assert "From before" in page
    assert "Stop watching" in page
    assert "From before" in page_of(clerk, "/mentions")


def test_watched_orders_are_the_survivors_of_merges(order: Order) -> None:
    clerk = signed_in(CS)
    for _ in range(2):
        merged = BusinessObject.objects.create(kind="order", merged_into_id=order.pk)
        OrderWatch.objects.create(order=merged, user=user_of_role(CS))
    assert page_of(clerk, "/mentions").count(f'href="/orders/{order.pk}"') == 1
    OrderWatch.objects.create(order_id=order.pk, user=user_of_role(CS))
    other = Order.objects.get(number="SO-2")
    OrderWatch.objects.create(order_id=other.pk, user=user_of_role(CS))
    OrderWatch.objects.create(order_id=other.pk, user=user_of_role(OP))
    watched = page_of(clerk, "/mentions").partition('id="watched-head"')[2]
    assert watched.count(f'href="/orders/{order.pk}"') == 1
    assert watched.index(f"/orders/{other.pk}") < watched.index(f"/orders/{order.pk}")


def test_fifty_earlier_watchers_do_not_hide_that_you_watch(order: Order) -> None:
    clerk = signed_in(CS)
    for number in range(50):
        user = User.objects.create(username=f"user{number}")
        OrderWatch.objects.create(order_id=order.pk, user=user)
    assert "Stop watching" not in page_of(clerk, f"/orders/{order.pk}")
    clerk.post(f"/orders/{order.pk}/watch")
    OrderWatch.objects.filter(user=user_of_role(CS)).update(since="2099-01-01T00:00Z")
    assert "Stop watching" in page_of(clerk, f"/orders/{order.pk}")


def test_actions_are_off_as_known_at_an_earlier_time(order: Order) -> None:
    page = page_of(signed_in(CS), f"/orders/{order.pk}?at=2026-03-02T15:30")
    assert "This page shows the data known on" in page
    assert 'name="note"' not in page
    assert f"/orders/{order.pk}/watch" not in page


def test_numbers_have_copy_buttons_a_carrier_link_and_related_orders(order: Order) -> None:
    page = page_of(signed_in(CS), f"/orders/{order.pk}")
    numbers = page.partition('aria-labelledby="numbers-head"')[2]
    for number in ("SO-1", "PO-7", "1Z999"):
        assert f'data-copy-text="{number}"' in numbers
    assert 'tracknum=1Z999" rel="noreferrer noopener"' in numbers
    other = Order.objects.get(number="SO-2")
    related = numbers.partition('id="related-head"')[2]
    assert f'href="/orders/{other.pk}"' in related
    assert "Same purchase order" in related


def test_only_active_colleagues_with_the_permission_can_be_mentioned(order: Order) -> None:
    signed_in(EX)
    user_of_role(OP, "left")
    User.objects.filter(username="left").update(is_active=False)
    signed_in(CS).post(f"/orders/{order.pk}/notes", {"note": "@executive @left hello"})
    assert not OrderMention.objects.exists()
