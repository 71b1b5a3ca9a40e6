"""Entries of the audit log link to the record that they speak of."""

import ast
import re
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.builders.users import create_user
from tests.db.web.api.test_api_tokens import new_token
from tests.db.web.walk.access_dataset import Values, build_access_dataset, client_of
from visibility.db.database_time import database_now
from visibility.models import (
    AuditEntry,
    BusinessObject,
    IdentityDecision,
    KpiNote,
    KpiTarget,
    MasterImport,
    SavedView,
    ScreenLink,
    Source,
    Team,
)
from visibility.models.audit import append_audit_entry
from visibility.models.imports import ImportState
from visibility.web.permissions import Permission, UserRole

pytestmark = [pytest.mark.django_db, pytest.mark.slow]
CODE = Path(__file__).resolve().parents[3] / "visibility"
API = "/api/v1/audit"
Example = tuple[str, Any, str]

# How the code names the object of an entry -> the action, the object and the expected page.
EXAMPLES: dict[str, Example] = {
    "order": ("order.noted", "order {order}", "/orders/{order}"),
    "alert": ("alert.acknowledge", "alert {alert}", "/alerts/{alert}"),
    "message": ("message.read", "message {message}", "/messages/{message}"),
    "rule": ("rule.changed", "rule stuck", "/rules/stuck"),
    "subscription": ("subscription.changed", "subscription {own}", "/subscriptions/{own}"),
    "board": ("board.saved", "board operations", "/boards/operations"),
    "calendar": ("calendar.changed", "calendar {calendar}", "/calendars/{calendar}"),
    "manifest": ("manifest.published", "manifest hill_3pl", "/manifests/hill_3pl"),
    "release check": (
        "release_check.requested",
        "release check {check}",
        "/release-checks/{check}",
    ),
    "join": ("join.distinct", "join {decision}", "/joins/{decision}"),
    "import": ("master.confirm", "import {import}", "/mappings/files/{import}"),
    "saved view": ("saved_view.added", "saved view {view}", "/saved-views/{view}"),
    "screen link": ("screen_link.created", "screen link {screen}", "/screen-links"),
    "API token": ("api_token.created", "API token {token}", "/tokens"),
    "KPI target": ("kpi_target.added", "KPI target {target}", "/kpi-targets?kpi=fill_rate"),
    "KPI note": ("kpi_note.added", "KPI note {note}", "/numbers/fill_rate"),
    "f\"{table.code} {history.values_list('row', flat=True)[0]}\"": (
        "master.mapping",
        "mapping {mapping}",
        "/mappings/mapping/{mapping}",
    ),
    "source.slug": ("source.rotate", "erp", "/sources/erp"),
    "window.source.slug": ("source.maintenance_planned", "erp", "/sources/erp"),
    "row.slug": ("source.changed", "erp", "/sources/erp"),
    "slug": ("source.add", "erp", "/sources/erp"),
    "team.title": ("team.changed", "Dock", "/teams/{team}"),
    "user.get_username()": ("person.changed", "leaver", "/people/{person}"),
    "by.user.get_username()": ("start_page.changed", "leaver", "/people/{person}"),
    "name": ("session.signed_in", "leaver", "/people/{person}"),
    "user.get_username() if user else 'unknown user'": (
        "session.refused",
        "leaver",
        "/people/{person}",
    ),
    "user.get_username()[:200] if user is not None else ''": (
        "security.breach_check_failed",
        "leaver",
        "/people/security",
    ),
    "'demo data'": ("demo_data.loaded", "demo data", "/setup"),
    "f'{len(ids)} messages'": (
        "message.replay",
        {"replay": "{replay}"},
        "/messages/replays/{replay}",
    ),
    "kind": ("master.never", "item", "/mappings/unmapped"),
    "str(address)": ("address.allowed", "https://example.com", "/outgoing-addresses"),
    "'mail server'": ("mail_server.changed", "mail server", "/mail-server"),
    "'organization'": ("organization.changed", "organization", "/organization"),
    "'security'": ("security.session_limits", "security", "/people/security"),
    "OBJECT": ("single_sign_on.changed", "single sign-on", "/people/single-sign-on"),
    "payloads of": ("messages.bodies_removed", "payloads of 2026-01", "/messages/retention"),
}
MORE: tuple[Example, ...] = (
    ("message.discard", {"discard": "{discard}"}, "/messages/discards/{discard}"),
    ("order.noted", "order {merged}", "/orders/{merged}"),
    ("organization.brand_changed", "organization", "/organization/tracking-page"),
    ("account.password_set", "leaver", "/people/{person}"),
    ("second_factor.removed", "leaver", "/people/{person}"),
    ("secret_key.replaced", "SECRET_KEY", "/system"),
    ("tracking_link.created", "order {order}", "/orders/{order}"),
    ("saml_provider.changed", "single sign-on with SAML", "/people/single-sign-on/saml"),
)
# Entries that name no record of the product, and why.
WITHOUT_LINK: Mapping[str, tuple[str, str]] = {
    "path.name[:200]": ("backup.written", "A backup is a file outside of the product."),
    "request.path[:200]": ("denied", "The address was refused, and may name no record."),
    "f'{count} orders'": ("export", "The file was sent."),
    "f'{rows} {list_export.definition.nouns[1]}'": ("export", "Its owner alone may open the file."),
    "object": ("export", "The file was sent."),
}


def ways_to_name_an_object() -> set[str]:
    """The first words of `object=` of each call that writes an entry, or the expression."""
    ways = set()
    for path in CODE.rglob("*.py"):
        if path != CODE / "models" / "audit.py":
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and getattr(node.func, "id", "") == (
                    "append_audit_entry"
                ):
                    ways.add(_way(next(k.value for k in node.keywords if k.arg == "object")))
    return ways


def _way(node: ast.expr) -> str:
    first = node.values[0] if isinstance(node, ast.JoinedStr) else None
    return str(first.value).strip() if isinstance(first, ast.Constant) else ast.unparse(node)


def test_every_way_to_name_an_object_is_linked_or_explained() -> None:
    assert ways_to_name_an_object() == EXAMPLES.keys() | WITHOUT_LINK.keys()


def areas_of_actions() -> set[str]:
    """The first part of each action that a call of an auditing function names."""
    areas = set()
    for path in CODE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            function = getattr(getattr(node, "func", None), "id", "")
            if "audit" in function and isinstance(node, ast.Call) and node.args:
                action = getattr(node.args[0], "value", None)
                if isinstance(action, str) and (match := re.fullmatch(r"(\w+)\.\w+", action)):
                    areas.add(match[1])
    return areas


def test_every_area_of_actions_has_an_example_or_an_explanation() -> None:
    examples = [action for action, _, _ in (*EXAMPLES.values(), *MORE)]
    # The entry about a new seal names no object.
    explained = [*(action for action, _ in WITHOUT_LINK.values()), "audit.resealed"]
    assert areas_of_actions() <= {name.partition(".")[0] for name in (*examples, *explained)}


@pytest.fixture
def values() -> Values:
    values = dict(build_access_dataset()["inside"])
    admin, now = User.objects.get(username="admin"), database_now()
    by = {"created_by": admin, "created_at": now}
    note_days = {"start": date(2026, 1, 1), "end": date(2026, 1, 2)}
    return values | {
        "own": values["subscription"],
        "merged": BusinessObject.objects.create(kind="order", merged_into_id=values["order"]).pk,
        "token": new_token(admin, Permission.ORDERS)[0].pk,
        "decision": IdentityDecision.objects.create(
            verdict="distinct", left_label="A", right_label="B", decided_at=now, decided_by=admin
        ).pk,
        "import": MasterImport.objects.create(
            table="item",
            name="a.csv",
            format="csv",
            size=1,
            state=ImportState.DONE,
            created_at=now,
            finished_at=now,
        ).pk,
        "screen": ScreenLink.objects.create(
            title="Wall", boards=["operations"], every=30, expires_at=now, **by
        ).pk,
        "target": KpiTarget.objects.create(
            kpi="fill_rate", value="0.9", first_day=date(2026, 1, 1), created_by=admin
        ).pk,
        "note": KpiNote.objects.create(
            kpi="fill_rate",
            text="Go-live",
            author=admin,
            created_at=now,
            changed_at=now,
            **note_days,
        ).pk,
    }


def write(example: Example, values: Values) -> AuditEntry:
    action, named, _ = example
    is_detail = isinstance(named, Mapping)
    detail = {k: int(v.format(**values)) for k, v in named.items()} if is_detail else {}
    text = "2 messages" if is_detail else named.format(**values)
    append_audit_entry(action, user=None, object=text, detail=detail, now=database_now())
    return AuditEntry.objects.latest("pk")


def links_of_page(client: Client, count: int) -> list[str]:
    """The link of each entry of the page, newest first; empty without one."""
    page = client.get("/audit").content.decode()
    cells = re.findall(r'<td data-title="Object">(.*?)</td>', page, re.DOTALL)[:count]
    return [link[1] if (link := re.search(r'<a href="([^"]+)"', cell)) else "" for cell in cells]


def test_each_kind_of_entry_links_to_a_page_that_opens(values: Values) -> None:
    admin = client_of("admin")
    examples = [*EXAMPLES.values(), *MORE]
    for example in examples:
        write(example, values)
    expected = [url.format(**values) for _, _, url in reversed(examples)]
    assert links_of_page(admin, len(examples)) == expected
    items = admin.get(f"{API}?page_size={len(examples)}").json()["items"]
    assert [item["url"] for item in items] == expected
    assert {url: admin.get(url, follow=True).status_code for url in set(expected)} == (
        dict.fromkeys(expected, 200)
    )


def test_entries_without_a_record_and_of_removed_or_private_records_have_no_link(
    values: Values,
) -> None:
    other = create_user(UserRole.OPERATIONS, "other")
    now = database_now()
    private = SavedView.objects.create(
        owner=other, list="orders", name="Mine", created_at=now, changed_at=now
    )
    without_page = [
        *((action, "order 987654321", "") for action, _ in WITHOUT_LINK.values()),
        *(("order.noted", f"order {key}", "") for key in (2**62, "9" * 30, "x", "1; --")),
        *(("rule.changed", "rule without_page", ""), ("team.changed", "Nobody", "")),
        *(("person.changed", "nobody", ""), ("saved_view.added", f"saved view {private.pk}", "")),
        ("message.replay", {"replay": "987654321"}, ""),
    ]
    for example in without_page:
        write(example, values)
    admin = client_of("admin")
    assert links_of_page(admin, len(without_page)) == [""] * len(without_page)
    assert {
        item["url"] for item in admin.get(f"{API}?page_size={len(without_page)}").json()["items"]
    } == {None}


def test_a_reader_gets_links_only_to_pages_they_may_open(values: Values) -> None:
    write(EXAMPLES["source.slug"], values)
    address = "/api/v1/sources/erp/changes"
    assert client_of("integrator").get(address).json()["items"][0]["url"] == "/sources/erp"
    with_link = client_of("admin").get(address).json()["items"][0]
    assert with_link["url"] == "/sources/erp"


def test_the_number_of_statements_does_not_grow_with_the_entries(values: Values) -> None:
    admin = client_of("admin")
    for example in EXAMPLES.values():
        write(example, values)
    admin.get("/audit")
    few = _statements(lambda: admin.get("/audit"))
    few_api = _statements(lambda: admin.get(API))
    for number in range(8):
        write(
            ("team.changed", Team.objects.create(title=f"T{number}", slug=f"t{number}").title, ""),
            {},
        )
        slug = Source.objects.create(slug=f"s{number}", title="S", connector="cloudevents").slug
        write(("source.changed", slug, ""), {})
    # Entries of one kind may have moved to the next page.
    assert _statements(lambda: admin.get("/audit")) <= few
    assert _statements(lambda: admin.get(API)) <= few_api


def _statements(call: Callable[[], Any]) -> int:
    with CaptureQueriesContext(connection) as queries:
        assert call().status_code == 200
    return len(queries)
