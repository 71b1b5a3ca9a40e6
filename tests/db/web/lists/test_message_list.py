"""The list of messages: sort order, columns, filters, saved views and exports."""

import re

import pytest
from django.test import Client
from django.utils.http import urlencode

from tests.builders.listed_orders import read_csv_export, walk_pages
from tests.builders.sources import create_source, message
from tests.builders.users import signed_in
from visibility.models import AuditEntry
from visibility.screens.messages import message_queries
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db


@pytest.fixture
def ivan() -> Client:
    return signed_in(UserRole.INTEGRATOR, "ivan")


@pytest.mark.parametrize("by", ["", "&source=wms"])
def test_pages_visit_every_message_once_in_both_directions(
    ivan: Client, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    monkeypatch.setattr(message_queries, "PAGE_SIZE", 3)
    feed = create_source()
    ids = [message(feed) for _ in range(8)]
    assert walk_pages(ivan, f"/messages?sort=-received_at{by}") == ids[::-1]
    assert walk_pages(ivan, f"/messages?sort=received_at{by}") == ids
    assert walk_pages(ivan, f"/messages?{by[1:]}") == ids[::-1]
    page = ivan.get(f"/messages?{by[1:]}").content.decode()
    assert 'aria-sort="descending"' in page
    assert re.search(r'<a href="/messages\?[^"]*sort=received_at">Received', page)
    assert "<b>8 messages</b>" in page
    cursor, listed = "", []
    while True:
        answer = ivan.get(f"/api/v1/messages?sort=received_at&page_size=3{by}&cursor={cursor}")
        listed += [int(item["id"]) for item in answer.json()["items"]]
        if not (cursor := answer.json()["next"] or ""):
            break
    assert listed == ids


def test_unknown_sort_order_is_named_on_the_page_and_400_in_the_api(ivan: Client) -> None:
    message(create_source())
    page = ivan.get("/messages?sort=detail").content.decode()
    assert "Messages cannot be sorted by “detail”" in page
    assert ivan.get("/api/v1/messages?sort=detail").status_code == 400


def test_filters_find_the_same_on_the_page_in_the_export_and_in_the_api(ivan: Client) -> None:
    first = message(create_source("shop"), state="parked", reason="schema", detail="")
    feed = create_source("wms")
    message(feed, state="parked", reason="schema", detail="no number")
    message(feed)
    for query in ("source=shop", "state=parked&reason=schema&detail=", f"q={first}"):
        assert walk_pages(ivan, f"/messages?{query}") == [first], query
        for address in ("/messages/export", "/api/v1/messages/export"):
            heading, rows = read_csv_export(ivan.get(f"{address}?format=csv&{query}"))
            assert [row["Message"] for row in rows] == [str(first)]
            assert heading["Filters"] != "None"
        items = ivan.get(f"/api/v1/messages?{query}").json()["items"]
        assert [item["id"] for item in items] == [str(first)], query
    assert AuditEntry.objects.filter(action="export").count() == 6
    assert rows[0]["Processing result"] == "Parked: A field is missing or has the wrong type"


@pytest.mark.parametrize(
    ("name", "value"), [("state", "lost"), ("source", "nobody"), ("replay", "x"), ("reason", "x")]
)
def test_wrong_filter_is_an_error_at_its_chip(ivan: Client, name: str, value: str) -> None:
    listed = message(create_source())
    query = urlencode({name: value})
    page = ivan.get(f"/messages?{query}").content.decode()
    chip = page.partition('class="chip chip-wrong')[2].partition("</a>")[0]
    assert f"“{value}”" in chip
    assert walk_pages(ivan, f"/messages?{query}") == [listed]
    assert ivan.get(f"/messages/export?format=csv&{query}").status_code == 302
    answer = ivan.get(f"/api/v1/messages?{query}")
    assert (answer.status_code, answer.json()["errors"][0]["path"]) == (400, name)


def test_columns_and_saved_views_keep_an_empty_error_detail(ivan: Client) -> None:
    parked = message(create_source(), state="parked", reason="schema", detail="")
    message(create_source("wms-2"), state="parked", reason="schema", detail="no number")
    ivan.post("/lists/messages/columns", {"columns": ["message", "attempts"]})
    head = ivan.get("/messages").content.decode().partition("<thead>")[2].partition("</thead>")[0]
    assert re.findall(r'data-column="(\w+)"', head) == ["message", "attempts"]
    query = "state=parked&reason=schema&detail="
    view = ivan.post(
        "/api/v1/saved-views",
        {"list": "messages", "name": "Without detail", "query": query},
        "application/json",
    ).json()
    opened = ivan.get(f"/saved-views/{view['id']}")
    assert opened.headers["location"] == f"/messages?{query}"
    assert walk_pages(ivan, opened.headers["location"]) == [parked]


def test_roles_without_sources_see_no_list_export_or_view(ivan: Client) -> None:
    view = ivan.post(
        "/api/v1/saved-views", {"list": "messages", "name": "All", "query": ""}, "application/json"
    ).json()
    clerk = signed_in(UserRole.CUSTOMER_SERVICE)
    for address in (
        "/messages",
        "/messages/export?format=csv",
        "/api/v1/messages/export",
        "/api/v1/lists/messages/columns",
        "/api/v1/lists/messages/filters",
    ):
        assert clerk.get(address).status_code == 403, address
    assert clerk.get(f"/saved-views/{view['id']}").status_code == 404
