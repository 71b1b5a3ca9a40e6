"""Columns that people choose, and saved views, through the forms and the API."""

from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, connection
from django.db.models import QuerySet
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.builders.alerts import order
from tests.builders.listed_orders import create_orders_with_ties_and_gaps, read_csv_export
from tests.builders.users import signed_in, user_of_role
from visibility.models import AuditEntry, ListColumnChoice, SavedView, Team, find_or_create_team
from visibility.models.audit import find_audit_violations
from visibility.preferences import saved_views
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
OPS = UserRole.OPERATIONS


@pytest.fixture
def olga() -> Client:
    return signed_in(OPS, "olga")


@pytest.fixture
def warehouse() -> Team:
    """The team of olga and tom."""
    team = find_or_create_team("Warehouse")
    assert team
    team.members.set([user_of_role(OPS, "olga"), user_of_role(OPS, "tom")])
    return team


def checked_client(name: str, role: UserRole = OPS) -> tuple[Client, str]:
    """A client that checks CSRF tokens, and its token."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(user_of_role(role, name))
    client.get("/orders")
    return client, client.cookies["csrftoken"].value


def post(client: Client, path: str, **fields: Any) -> str:
    """Post a form; return the messages on the next page."""
    response = client.post(path, {"next": "/orders", **fields}, follow=True)
    assert response.status_code == 200, response.status_code
    return " ".join(str(note) for note in response.context["messages"])


def call(client: Client, method: str, path: str, body: Any = None) -> Any:
    """Call the API with a JSON body."""
    return getattr(client, method)(f"/api/v1/{path}", body, content_type="application/json")


def header_texts(client: Client, path: str = "/orders") -> list[str]:
    """The titles of the columns of a page."""
    return [cell.title for cell in client.get(path).context["list_tools"].head]


def test_chosen_columns_show_on_the_page_and_in_the_export(olga: Client) -> None:
    create_orders_with_ties_and_gaps(3)
    default = header_texts(olga)
    assert default[0] == "Order"
    assert "Warehouse" not in default
    post(olga, "/lists/orders/columns", columns=["warehouse", "slack", "next_step", "alerts"])
    chosen = ["Order", "Warehouse", "Time left", "Next", "Open alerts"]
    assert header_texts(olga) == chosen
    _, rows = read_csv_export(olga.get("/orders/export?format=csv"))
    assert list(rows[0]) == chosen
    assert header_texts(signed_in(OPS, "tom")) == default
    post(olga, "/lists/orders/columns", reset="1")
    assert header_texts(olga) == default
    assert not ListColumnChoice.objects.exists()


def test_unknown_column_and_unknown_list_are_refused(olga: Client) -> None:
    assert "There is no column 'planet'" in post(olga, "/lists/orders/columns", columns=["planet"])
    assert not ListColumnChoice.objects.exists()
    assert olga.post("/lists/planets/columns", {"columns": "x"}).status_code == 404
    assert call(olga, "get", "lists/planets/columns").status_code == 404


def test_role_without_prices_cannot_choose_them_and_loses_them_with_the_role() -> None:
    create_orders_with_ties_and_gaps(2)
    client, user = signed_in(OPS, "olga"), user_of_role(OPS, "olga")
    post(client, "/lists/orders/columns", columns=["total", "warehouse"])
    assert "Order value" in header_texts(client)
    user.groups.set(user_of_role(UserRole.INTEGRATOR).groups.all())
    assert header_texts(client) == ["Order", "Warehouse"]
    answer = call(client, "put", "lists/orders/columns", {"columns": ["total"]})
    assert answer.status_code == 400
    assert "There is no column 'total'" in answer.json()["detail"]


def test_columns_by_api(olga: Client) -> None:
    path = "lists/alerts/columns"
    assert call(olga, "get", path).json()["is_default"]
    body = call(olga, "put", path, {"columns": ["rule", "alert"]}).json()
    assert [c["code"] for c in body["columns"] if c["is_visible"]] == ["rule", "alert"]
    assert header_texts(olga, "/alerts?by=one") == ["SLA rule", "Alert"]
    assert call(olga, "delete", path, {}).json()["is_default"]


def test_saved_view_of_the_page_is_added_opened_renamed_and_deleted(olga: Client) -> None:
    query = "status=released&sort=-promised_at&after=x&also=1"
    page = olga.get(f"/orders?{query}").content.decode()
    stored = "status=released&amp;sort=-promised_at"
    assert f'name="query" value="{stored}"' in page
    assert "View “Late” saved." in post(
        olga, "/saved-views", list="orders", name=" Late ", query=query
    )
    view = SavedView.objects.get()
    assert view.query == "status=released&sort=-promised_at"
    opened = olga.get(f"/saved-views/{view.pk}")
    assert opened.headers["Location"] == f"/orders?{view.query}"
    page = olga.get(opened.headers["Location"]).content.decode()
    assert f'<a href="/saved-views/{view.pk}" aria-current="true">Late</a>' in page
    post(olga, f"/saved-views/{view.pk}/change", name="Later")
    view.refresh_from_db()
    assert (view.name, view.query, view.team) == (
        "Later",
        "status=released&sort=-promised_at",
        None,
    )
    post(olga, f"/saved-views/{view.pk}/delete")
    assert not SavedView.objects.exists()
    entries = AuditEntry.objects.filter(object=f"saved view {view.pk}").order_by("id")
    assert [(e.action, e.detail.get("name")) for e in entries] == [
        ("saved_view.added", "Late"),
        ("saved_view.changed", "Later"),
        ("saved_view.removed", "Later"),
    ]
    assert find_audit_violations() == []


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("status=planet", "Order status: “planet” is not a value of this filter."),
        ("cutoff=soon:Dallas:UPS", "Cut-off: “soon:Dallas:UPS” is not a value of this filter."),
        ("planet=1", "Orders have no filter 'planet'."),
        ("sort=planet", "Orders cannot be sorted by “planet”."),
        ("warehouse=" + "x" * 300, "too long"),
        ("warehouse=%00", "is too long or not text"),
        ("channel=" + "x" * 2_100, "longer than 2,000 characters"),
    ],
)
def test_query_string_that_the_list_does_not_accept_is_not_saved(
    olga: Client, query: str, sentence: str
) -> None:
    note = post(olga, "/saved-views", list="orders", name="Bad", query=query)
    assert sentence in note
    body = {"list": "orders", "name": "Bad", "query": query[:2_000]}
    answer = call(olga, "post", "saved-views", body)
    assert (answer.status_code, answer.json()["errors"][0]["path"]) == (400, "query")
    assert not SavedView.objects.exists()


def test_query_string_is_checked_again_when_the_view_is_opened(olga: Client) -> None:
    post(olga, "/saved-views", list="orders", name="Late", query="late=1")
    view = SavedView.objects.get()
    SavedView.objects.update(query="status=planet")
    response = olga.get(f"/saved-views/{view.pk}", follow=True)
    assert response.redirect_chain == [("/orders", 302)]
    assert "The view “Late” cannot be opened as it was saved." in response.content.decode()


def test_names_are_unique_for_a_person_and_not_blank(olga: Client) -> None:
    post(olga, "/saved-views", list="orders", name="Late", query="")
    assert "There is already a saved view “Late”" in post(
        olga, "/saved-views", list="orders", name="Late", query=""
    )
    assert "Enter a name." in post(olga, "/saved-views", list="orders", name=" ", query="")
    post(signed_in(OPS, "tom"), "/saved-views", list="orders", name="Late", query="")
    assert SavedView.objects.count() == 2


def test_team_sees_a_shared_view_and_only_the_owner_or_an_administrator_changes_it(
    olga: Client, warehouse: Team
) -> None:
    post(olga, "/saved-views", list="orders", name="Late", query="late=1", team="warehouse")
    view = SavedView.objects.get()
    tom, eve = signed_in(OPS, "tom"), signed_in(OPS, "eve")
    url = f"/saved-views/{view.pk}"
    assert f'href="{url}"' in tom.get("/orders").content.decode()
    assert f'action="{url}/change"' not in tom.get("/orders").content.decode()
    assert tom.get(url).headers["Location"] == "/orders?late=1"
    assert f'href="{url}"' not in eve.get("/orders").content.decode()
    assert eve.get(url).status_code == 404
    assert eve.post(f"{url}/delete").status_code == 404
    assert tom.post(f"{url}/change", {"name": "Mine"}).status_code == 403
    assert tom.post(f"{url}/delete").status_code == 403
    assert call(tom, "patch", f"saved-views/{view.pk}", {"name": "Mine"}).status_code == 403
    assert call(tom, "delete", f"saved-views/{view.pk}", {}).status_code == 403
    assert call(eve, "patch", f"saved-views/{view.pk}", {"name": "Mine"}).status_code == 404
    admin = signed_in(UserRole.ADMIN)
    assert call(admin, "patch", f"saved-views/{view.pk}", {"name": "Ours"}).status_code == 200
    post(olga, f"{url}/change", team="")
    assert tom.get(url).status_code == 404
    view.refresh_from_db()
    assert (view.name, view.owner.username) == ("Ours", "olga")


def test_view_is_shared_only_with_a_team_of_the_person(olga: Client, warehouse: Team) -> None:
    find_or_create_team("Finance")
    assert "a team that you are a member of" in post(
        olga, "/saved-views", list="orders", name="Late", query="", team="finance"
    )
    assert not SavedView.objects.exists()


def test_saved_views_by_api(olga: Client, warehouse: Team) -> None:
    body = {"list": "alerts", "name": "Worst", "query": "view=mine&sort=worst", "team": "warehouse"}
    answer = call(olga, "post", "saved-views", body)
    assert answer.status_code == 201
    view = answer.json()
    assert view["team"] == {"slug": "warehouse", "title": "Warehouse"}
    assert view["owner"]["name"] == "olga"
    listed = call(signed_in(OPS, "tom"), "get", "saved-views?list=alerts").json()["items"]
    assert [item["id"] for item in listed] == [view["id"]]
    assert call(olga, "get", "saved-views?list=orders").json()["items"] == []
    changed = call(olga, "patch", f"saved-views/{view['id']}", {"team": None, "query": ""}).json()
    assert (changed["team"], changed["query"], changed["name"]) == (None, "", "Worst")
    assert call(olga, "get", "saved-views?list=planets").status_code == 400
    assert call(olga, "post", "saved-views", {**body, "list": "planets"}).status_code == 400
    assert call(olga, "delete", f"saved-views/{view['id']}", {}).json()["id"] == view["id"]
    assert call(olga, "get", f"saved-views/{view['id']}").status_code == 404


@pytest.mark.parametrize(
    ("code", "parameter", "prefix"), [("orders", "customer", ""), ("alerts", "group", "customer:")]
)
def test_shared_view_has_no_customer_name_for_people_without_contacts(
    olga: Client, warehouse: Team, code: str, parameter: str, prefix: str
) -> None:
    order("SO-1", customer_name="Nora Quist", customer_no="C7")
    for name, value in (("Name", "Nora Quist"), ("Number", "C7")):
        query = urlencode({parameter: prefix + value})
        post(olga, "/saved-views", list=code, name=name, query=query, team="warehouse")
    named, numbered = SavedView.objects.order_by("name")
    eve = signed_in(UserRole.EXECUTIVE, "eve")
    warehouse.members.add(user_of_role(UserRole.EXECUTIVE, "eve"))
    opened = eve.get(f"/saved-views/{named.pk}", follow=True)
    assert opened.redirect_chain == [(f"/{code}", 302)]
    assert "Your role does not see names of customers" in opened.content.decode()
    assert "Nora" not in opened.content.decode()
    address = eve.get(f"/saved-views/{numbered.pk}").headers["Location"]
    assert address == f"/{code}?{numbered.query}"
    items = call(eve, "get", "saved-views").json()["items"]
    assert [item["query"] for item in items] == ["", numbered.query]
    assert call(eve, "get", f"saved-views/{named.pk}").json()["query"] == ""
    assert "Nora" in olga.get(f"/saved-views/{named.pk}").headers["Location"]
    assert "Nora" in call(olga, "get", f"saved-views/{named.pk}").json()["query"]


def test_change_stores_only_its_fields_and_a_view_that_is_gone_stays_gone(
    olga: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    post(olga, "/saved-views", list="orders", name="Late", query="late=1")
    view = SavedView.objects.get()
    with CaptureQueriesContext(connection) as captured:
        post(olga, f"/saved-views/{view.pk}/change", name="Later")
    assert any("FOR UPDATE" in q["sql"] and "savedview" in q["sql"] for q in captured)
    [update] = [q["sql"] for q in captured if q["sql"].startswith('UPDATE "visibility_savedview"')]
    assert "created_at" not in update
    real = saved_views.visible_saved_views

    def remove_then_read(editor: saved_views.ViewEditor) -> QuerySet[SavedView]:
        SavedView.objects.filter(pk=view.pk).delete()
        return real(editor)

    # The API and the page read the view first; it goes before the change.
    monkeypatch.setattr(saved_views, "visible_saved_views", remove_then_read)
    with pytest.raises(saved_views.UnknownSavedView):
        saved_views.change_saved_view(
            view.pk,
            saved_views.SavedViewChange(name="Back"),
            editor=saved_views.ViewEditor(view.owner, is_administrator=False),
            now=view.changed_at,
        )


def test_only_the_unique_name_is_reported_as_a_duplicate(
    olga: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise IntegrityError("another constraint")

    monkeypatch.setattr(saved_views, "append_audit_entry", fail)
    with pytest.raises(IntegrityError, match="another constraint"):
        olga.post("/saved-views", {"list": "orders", "name": "Late", "query": ""})
    assert not SavedView.objects.exists()


def test_forms_and_api_need_a_csrf_token() -> None:
    client, token = checked_client("olga")
    form = {"list": "orders", "name": "Late", "query": ""}
    assert client.post("/saved-views", form).status_code == 403
    assert client.post("/lists/orders/columns", {"reset": "1"}).status_code == 403
    assert call(client, "post", "saved-views", form).status_code == 403
    assert not SavedView.objects.exists()
    response = client.post("/saved-views", {**form, "csrfmiddlewaretoken": token})
    assert (response.status_code, response.headers["Location"]) == (302, "/orders")
    assert SavedView.objects.count() == 1


def test_form_returns_only_to_pages_of_this_site(olga: Client) -> None:
    for target in ("https://example.com/", "//example.com", "\0"):
        fields = {"reset": "1", "next": target}
        response = olga.post("/lists/orders/columns", fields)
        assert response.headers["Location"] == "/orders"


def test_saved_views_of_a_removed_person_go_with_the_person(olga: Client) -> None:
    post(olga, "/saved-views", list="orders", name="Late", query="")
    SavedView.objects.update(owner=User.objects.create(username="leaver"))
    User.objects.filter(username="leaver").delete()
    assert not SavedView.objects.exists()
