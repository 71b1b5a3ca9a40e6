"""Groups of the alert inbox: their numbers, previews, first rows, and actions on them."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.builders.alerts import HOUR, alert, order, source_alert, statements
from tests.builders.listed_orders import read_csv_export
from tests.builders.sources import create_source
from tests.builders.users import create_user, signed_in
from visibility.db.database_time import database_now
from visibility.models import Alert, AlertState, SavedView, Severity
from visibility.screens.alerts import inbox
from visibility.screens.orders.order_scope import OrderScope
from visibility.web import alert_selection
from visibility.web.pages import alert_actions as pages
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db


@pytest.fixture
def ops() -> Client:
    return signed_in(UserRole.OPERATIONS, "olga")


def text(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def rows(page: str) -> list[str]:
    """The rows of the list, as HTML."""
    body = page.partition('id="alerts-list">')[2].partition("</tbody>")[0]
    return ["<tr" + row for row in body.split("<tr")[1:]]


def links(row: str) -> dict[str, str]:
    """The links of a row: their text by address."""
    anchors = re.findall(r'<a[^>]*href="([^"]+)"[^>]*>(.*?)</a>', row)
    return {url.replace("&amp;", "&"): re.sub("<[^>]+>", "", label) for url, label in anchors}


def create_alerts_of_four_causes() -> None:
    for n in range(4):
        alert(of=order(f"SO-D{n}", warehouse="Dallas"))
    alert(of=order("SO-D9", warehouse="Dallas"), money=50, currency="EUR")
    alert(of=order("SO-R1", warehouse="Reno"), severity=Severity.CRITICAL, money=None)
    wms = create_source(title="WMS")
    source_alert(wms, due_at=database_now() - 5 * HOUR)
    for status in ("PRT_SHP", "HLD"):
        source_alert(wms, kind="unmapped_status", subject_key=status, severity=Severity.LOW)


def test_alerts_with_the_same_rule_and_warehouse_source_or_status_are_one_cause(
    ops: Client,
) -> None:
    create_alerts_of_four_causes()
    page = text(ops, "/alerts")
    groups = rows(page)
    assert len(groups) == 5
    assert "<b>9 open</b></a> in" in page
    assert ">5 causes</a>" in page
    assert "9 unassigned</b>" in page
    critical, silent, dallas, *unmapped = groups
    assert "SO-R1" in critical
    assert "status-solid" in critical
    assert "No data from WMS" in silent
    assert "Dallas" in dallas
    assert "4,802 USD + 50 EUR" in dallas
    assert sorted(re.findall(r"Unmapped status (\w+)</a>", "".join(unmapped))) == ["HLD", "PRT_SHP"]


@pytest.mark.parametrize("by", ["cause", "order", "customer"])
def test_number_of_each_group_equals_the_list_that_it_links_to(ops: Client, by: str) -> None:
    create_alerts_of_four_causes()
    olga = User.objects.get(username="olga")
    alert(of=order("SO-X", warehouse="Dallas", customer_no="C7"), owner=olga)
    total = 0
    for row in rows(text(ops, f"/alerts?by={by}")):
        [(address, number)] = [
            (url, label) for url, label in links(row).items() if re.match(r"\d+ ", label)
        ]
        linked = rows(text(ops, address))
        assert number.split()[0] == str(len(linked)), address
        total += len(linked)
    assert total == 10


def test_owner_of_a_group_is_named_only_if_it_owns_all_alerts(ops: Client) -> None:
    olga = User.objects.get(username="olga")
    first = alert("SO-1", owner=olga)
    alert("SO-2", owner=olga)
    assert ">olga</td>" in rows(text(ops, "/alerts"))[0]
    first.owner = None
    first.save()
    assert "1 unassigned" in rows(text(ops, "/alerts"))[0]


def test_money_of_a_group_needs_permission_and_customers_are_not_named_without(
    ops: Client,
) -> None:
    alert(of=order("SO-1", customer_name="Nora Quist"), money=77123)
    key = "customer:Nora Quist"
    assert "Nora Quist" in text(ops, "/alerts/groups/preview?group=" + key)
    client = signed_in(UserRole.EXECUTIVE)
    assert client.get("/alerts/groups/preview?group=" + key).status_code == 404
    assert "Nora Quist" not in text(client, "/alerts?by=customer")
    source_alert(create_source(), money=88123, currency="USD")
    client = signed_in(UserRole.INTEGRATOR)
    page = text(client, "/alerts")
    assert "77,123" not in page
    assert "88,123" not in page


@pytest.mark.parametrize(
    "key", ["x", "cause:", "cause:sla:x:0:", "order:" + "9" * 30, "one:1", "customer:" + "x" * 900]
)
def test_group_that_does_not_exist_is_empty_or_404(ops: Client, key: str) -> None:
    alert()
    assert not rows(text(ops, f"/alerts?group={key}"))
    assert ops.get("/alerts/groups/preview", {"group": key}).status_code == 404
    assert ops.get("/alerts/groups/rows", {"group": key}).status_code == 404
    assert ops.get("/alerts/groups/preview").status_code == 404


def test_preview_and_first_rows_of_a_group(ops: Client) -> None:
    for n in range(5):
        alert(of=order(f"SO-{n}", warehouse="Dallas", carrier="UPS" if n else ""))
    [row] = rows(text(ops, "/alerts"))
    address = re.search(r'data-rows="([^"]+)"', row)
    assert address is not None
    url = address[1].replace("&amp;", "&")
    shown = text(ops, url)
    assert shown.count("data-preview=") == 3
    assert "Show 2 more" in shown
    page = text(ops, url.replace("rows", "preview"))
    for expected in (
        "<b>5 orders</b> with <b>6,003 USD",
        "5 unassigned.",
        "Opened in the last 24 hours: 5",
        'UPS <span class="quiet">4 of 5</span>',
        "Call the shift lead in Dallas.",
        "If nobody acts: The truck leaves at 17:00 without it.",
        "Acknowledge 5",
    ):
        assert expected in page


def test_preview_of_an_alert_says_that_it_would_reopen(ops: Client) -> None:
    target = alert("SO-9", broken=True)
    page = text(ops, f"/alerts/{target.pk}/preview")
    for expected in ("SO-9", "It is 2 h overdue", "Call the shift lead", "would reopen at once"):
        assert expected in page
    assert "would reopen at once" in text(ops, f"/alerts/{target.pk}")
    client = signed_in(UserRole.INTEGRATOR)
    assert client.get(f"/alerts/{target.pk}/preview").status_code == 404


def test_selecting_a_group_selects_its_alerts_that_match_the_filters(ops: Client) -> None:
    create_alerts_of_four_causes()
    rule = Alert.objects.exclude(rule=None).values_list("rule", flat=True)[0]
    dallas = f"cause:sla:{rule}:0:Dallas"
    selection = ops.post("/alerts/selection", {"ids": [dallas]}).json()
    assert (len(selection["ids"]), selection["would_reopen"]) == (5, 0)
    other = ops.post("/alerts/selection?severity=critical", {"ids": [dallas]}).json()
    assert other["ids"] == []
    page = ops.post("/alerts/bulk", {"act": "acknowledge", "ids": [dallas]}, follow=True)
    assert "Acknowledged 5 alerts." in page.content.decode()
    assert Alert.objects.filter(state=AlertState.ACKNOWLEDGED).count() == 5


def test_selection_reads_each_group_once_and_at_most_100(
    ops: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    targets = [alert(of=order(f"SO-{n}")) for n in range(3)]
    keys = [f"order:{target.order_id}" for target in targets]
    read: list[str] = []
    real = inbox.list_matching_alert_ids

    def count(query: inbox.InboxQuery, **options: Any) -> list[int]:
        read.append(query.group)
        return real(query, **options)

    monkeypatch.setattr(inbox, "list_matching_alert_ids", count)
    selection = ops.post("/alerts/selection", {"ids": keys * 3}).json()
    assert (read, len(selection["ids"])) == (keys, 3)
    read.clear()
    ops.post("/alerts/selection", {"ids": [f"order:{n}" for n in range(1, 200)]})
    assert len(read) == 100
    read.clear()
    monkeypatch.setattr(alert_selection, "MAX_SELECTED", 2)
    selection = ops.post("/alerts/selection", {"ids": [*keys]}).json()
    assert (len(read), len(selection["ids"])) == (2, 2)


def test_selection_counts_the_alerts_whose_condition_still_holds(ops: Client) -> None:
    ids = [alert("SO-1", broken=True).pk, alert("SO-2").pk]
    selection = ops.post("/alerts/selection", {"ids": ids}).json()
    assert selection == {"ids": ids, "would_reopen": 1}


def test_action_in_parts_has_one_result_and_one_undo() -> None:
    targets = [alert(f"SO-{n}") for n in range(3)]
    taken = alert("SO-9", state=AlertState.RESOLVED, resolved_at=database_now())
    client = Client(enforce_csrf_checks=True)
    client.force_login(create_user(UserRole.OPERATIONS))
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', text(client, "/alerts"))
    assert token is not None
    fields: dict[str, Any] = {"act": "acknowledge", "batch": "b1", "csrfmiddlewaretoken": token[1]}
    first = {**fields, "more": "1", "ids": [targets[0].pk, taken.pk]}
    assert client.post("/alerts/bulk", first).json() == {"done": 1, "refused": 1}
    last = {**fields, "ids": [targets[1].pk, targets[2].pk]}
    page = client.post("/alerts/bulk", last, follow=True).content.decode()
    assert "Acknowledged 3 alerts." in page
    assert f"1 alert not changed. Alert #{taken.pk}: This alert is already resolved." in page
    undo = {"token": client.session["alert_undo"]["token"], "csrfmiddlewaretoken": token[1]}
    page = client.post("/alerts/undo", undo, follow=True).content.decode()
    assert "Restored 3 alerts." in page
    assert Alert.objects.filter(state=AlertState.OPEN).count() == 3


def test_a_form_that_selects_more_than_one_request_takes_says_so(
    ops: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "MAX_BULK", 2)
    for n in range(3):
        alert(f"SO-{n}")
    page = ops.post("/alerts/bulk", {"act": "acknowledge", "all": "1"}, follow=True)
    assert "1 more alert selected. Repeat the action for them." in page.content.decode()


def test_pages_of_groups_have_a_constant_statement_count(ops: Client) -> None:
    alert(of=order("SO-0", customer_no="C0"))
    few = statements(ops, "/alerts?by=customer")
    for n in range(1, 20):
        alert(of=order(f"SO-{n}", customer_no=f"C{n}"))
    assert statements(ops, "/alerts?by=customer") == few


def test_groups_beyond_a_page_are_on_the_next(ops: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("visibility.screens.alerts.groups.PAGE_SIZE", 2)
    for n in range(3):
        alert(of=order(f"SO-{n}", customer_no=f"C{n}"))
    page = text(ops, "/alerts?by=customer")
    assert len(rows(page)) == 2
    assert "3,602 USD" in page.partition('id="alerts-answer"')[2].partition("</p>")[0]
    following = re.search(r'rel="next" href="([^"]+)"', page)
    assert following is not None
    assert len(rows(text(ops, following[1].replace("&amp;", "&")))) == 1


def test_headers_saved_views_and_exports_have_the_filters_by_group_and_orders(ops: Client) -> None:
    create_alerts_of_four_causes()
    vip = [order(f"SO-V{n}", warehouse="Dallas", customer_group="VIP") for n in range(2)]
    for each in vip:
        alert(of=each)
    address = OrderScope("Dallas", group="VIP").link("/alerts?sort=size")
    [row] = rows(text(ops, address))
    [linked] = {url for url in links(row) if url.startswith("/alerts?")}
    query = linked.partition("?")[2]
    page = text(ops, linked)
    assert len(rows(page)) == 2
    assert "<b>2 alerts</b>" in page
    assert all(each in query for each in ("&group=", "warehouse=Dallas", "customer_group=VIP"))
    [header] = re.findall(r'<th [^>]*data-column="value"[^>]*><a href="([^"]+)"', page)
    by_value = text(ops, header.replace("&amp;", "&"))
    assert len(rows(by_value)) == 2
    assert 'aria-sort="descending"' in by_value
    ops.post("/saved-views", {"list": "alerts", "name": "VIP", "query": query})
    view = SavedView.objects.get(name="VIP")
    assert len(rows(text(ops, ops.get(f"/saved-views/{view.pk}").headers["Location"]))) == 2
    ops.post("/lists/alerts/columns", {"columns": ["order", "alert"]})
    heading, exported = read_csv_export(ops.get(f"/alerts/export?format=csv&{query}"))
    assert [row["Order"] for row in exported] == ["SO-V0", "SO-V1"]
    assert "Orders: Dallas, VIP; Group: " in heading["Filters"]
    filters = query.replace("by=one&", "")
    _, exported = read_csv_export(ops.get(f"/api/v1/alerts/export?columns=order&{filters}"))
    assert [row["Order"] for row in exported] == ["SO-V0", "SO-V1"]


@pytest.mark.parametrize(
    ("of_groups", "listed"), [("money", "-value"), ("newest", "-opened_at"), ("overdue", "due_at")]
)
def test_groups_and_their_alerts_keep_the_order(ops: Client, of_groups: str, listed: str) -> None:
    alert("SO-1")
    assert f"by=one&sort={listed}" in str(links(text(ops, f"/alerts?sort={of_groups}")))
    assert f"by=cause&sort={of_groups}" in str(links(text(ops, f"/alerts?by=one&sort={listed}")))
