"""Mapping pages: unmapped terms, tables, rows with history, and files."""

import re
from datetime import datetime
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from tests.builders.alerts import statements
from tests.builders.sources import create_source
from tests.builders.users import signed_in
from tests.db.master_data.conftest import GOVERNED, map_item, process_all, put_rows, receive_order
from visibility.master_data import imports
from visibility.models import (
    AuditEntry,
    Customer,
    IgnoredTerm,
    Item,
    MasterChange,
    MasterImport,
    Order,
    Source,
    TermMapping,
    TermUsage,
)
from visibility.pipeline import job_functions
from visibility.screens.mappings.term_and_row_queries import unmapped_terms
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
HOSTILE = "<script>alert(1)</script>"
# Two of them load the parents and count the orders.
QUERIES_OF_CUSTOMER_PAGE = 9
READERS = (UserRole.OPERATIONS, UserRole.INTEGRATOR, UserRole.ADMIN)


@pytest.fixture(autouse=True)
def nudges(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the nudged jobs."""
    nudged: list[str] = []
    monkeypatch.setattr(job_functions, "ask_worker_to_run_job_now", nudged.append)
    return nudged


@pytest.fixture
def shop(db: None) -> Source:
    return create_source("shop", role="shop", config={"governed": GOVERNED})


@pytest.fixture
def integrator() -> Client:
    return signed_in(UserRole.INTEGRATOR, "ines")


def page(client: Client, address: str, status: int = 200) -> str:
    answer = client.get(address)
    assert answer.status_code == status, address
    return answer.content.decode()


def post(client: Client, address: str, **fields: Any) -> str:
    answer: Any = client.post(address, fields, follow=True)
    return str(answer.content.decode())


TERM = {"kind": "item", "source": "shop", "term": "W-1"}
ROW = {"kind": "item", "source": "shop", "external": "W-1", "canonical": "A-1"}


@pytest.mark.parametrize("role", list(UserRole))
def test_view_and_edit_permissions(role: UserRole, shop: Source, now: datetime) -> None:
    receive_order(shop, "SO-1", "W-1")
    put_rows("item", {"number": "A-1"}, now=now)
    client = signed_in(role)
    item_id = Item.objects.get().pk
    sees, edits = role in READERS, role in {UserRole.INTEGRATOR, UserRole.ADMIN}
    for address in ("/mappings", "/mappings/item", f"/mappings/item/{item_id}"):
        assert client.get(address).status_code == (200 if sees else 403)
    assert client.get("/mappings/item/export.csv").status_code == (200 if sees else 403)
    assert client.get("/mappings/item/new").status_code == (200 if edits else 403)
    for address in (
        "/mappings/accept",
        "/mappings/accept-all",
        "/mappings/ignore",
        "/mappings/unignore",
        "/mappings/item/file",
        f"/mappings/item/{item_id}",
    ):
        status = client.post(address, {**TERM, "canonical": "A-1"}).status_code
        assert status == (403 if not edits else 400 if address.endswith(str(item_id)) else 302)
    front = page(client, "/orders")
    assert ('href="/mappings"' in front) == sees


def test_read_only_role_sees_no_forms(shop: Source, now: datetime) -> None:
    put_rows("item", {"number": "W-11"}, now=now)
    receive_order(shop, "SO-1", "W-1")
    client = signed_in(UserRole.OPERATIONS)
    item_id = Item.objects.get().pk
    for address in ("/mappings", "/mappings/mapping", f"/mappings/item/{item_id}"):
        posts = re.findall(r'<form method="post" action="([^"]+)"', page(client, address))
        assert not [post for post in posts if post.startswith("/mappings")]


def test_empty_pages_explain_themselves(integrator: Client) -> None:
    text = page(integrator, "/mappings")
    assert "No source is set to require mappings" in text
    assert "No rows in this table yet" in page(integrator, "/mappings/tax")
    assert page(integrator, "/mappings/nothing", 404)


def test_unmapped_terms_are_sorted_by_affected_orders(
    integrator: Client, shop: Source, now: datetime
) -> None:
    put_rows("item", {"number": "W-11", "title": "Gland"}, now=now)
    receive_order(shop, "SO-1", "W-1", "W-2")
    order = receive_order(shop, "SO-2", "W-1")
    text = page(integrator, "/mappings")
    assert "2 source values are unmapped and affect 2 orders." in text
    assert text.index(">2 orders<") < text.index(">1 order<")
    assert "similar number" in text
    affected = page(integrator, "/mappings/affected?kind=item&source=shop&term=W-1")
    assert f'href="/orders/{order.pk}"' in affected


def test_accepting_suggestion_reprocesses_affected_orders(
    integrator: Client, shop: Source, nudges: list[str]
) -> None:
    receive_order(shop, "SO-1", "W-1")
    receive_order(shop, "SO-2", "W-1")
    text = post(integrator, "/mappings/accept", **TERM, canonical="A-1")
    assert "1 value mapped. 2 orders queued for reprocessing." in text
    assert "refold" in nudges
    process_all()
    assert "Nothing to map." in page(integrator, "/mappings")
    assert not TermUsage.objects.filter(unmapped=True).exists()
    assert set(TermUsage.objects.values_list("canonical", flat=True)) == {"A-1"}
    assert AuditEntry.objects.filter(action="master.mapping", user__username="ines").exists()


def test_status_is_mapped_from_a_list_and_other_texts_are_refused(
    integrator: Client, now: datetime
) -> None:
    """The form lists our statuses in words; the form and the API refuse everything else."""
    create_source("erp", role="erp")
    address = "/mappings/mapping/new?kind=status&source=erp&external=Order+Quarantined"
    form = page(integrator, address)
    assert '<option value="order.held">Put on hold</option>' in form
    assert '<option value="unmapped"' not in form
    fields = {"kind": "status", "source": "erp", "external": "Order Quarantined"}
    refused = integrator.post(
        "/mappings/mapping/new", {**fields, "canonical": "held", "act": "save"}
    )
    assert refused.status_code == 400
    assert "is not one of our statuses" in refused.content.decode()
    body = {"values": {**fields, "canonical": "banana"}}
    api = integrator.post("/api/v1/master/mapping", body, content_type="application/json")
    assert api.status_code == 400
    assert "is not one of our statuses" in api.content.decode()
    accept = {"kind": "status", "source": "erp", "term": "Order Quarantined"}
    assert "is not one of our statuses" in post(
        integrator, "/mappings/accept", **accept, canonical="x"
    )
    assert not TermMapping.objects.exists()
    post(integrator, "/mappings/mapping/new", **fields, canonical="Put on hold", act="save")
    assert TermMapping.objects.get().canonical == "order.held"


def test_accepting_empty_value_shows_error(integrator: Client, shop: Source) -> None:
    receive_order(shop, "SO-1", "W-1")
    assert "Nothing was mapped: canonical is missing" in post(
        integrator, "/mappings/accept", **TERM
    )
    assert not TermMapping.objects.exists()


def test_accept_all_maps_certain_and_unambiguous_suggestions_only(
    integrator: Client, shop: Source, now: datetime
) -> None:
    put_rows(
        "item",
        {"number": "A-1", "ean": "4006381333931"},
        {"number": "B-1", "ean": "40063813"},
        {"number": "B-2", "ean": "40063813"},
        {"number": "GLAND-20"},
        now=now,
    )
    receive_order(shop, "SO-1", "4006381333931", "40063813", "GLAND-21")
    text = post(integrator, "/mappings/accept-all", certainty="100", kind="")
    assert "1 value mapped." in text
    assert list(TermMapping.objects.values_list("external", "canonical")) == [
        ("4006381333931", "A-1")
    ]
    assert "No suggestion is at least 100% certain." in post(
        integrator, "/mappings/accept-all", certainty="100", kind="item", on="table"
    )


def test_ignored_term_can_be_restored(integrator: Client, shop: Source) -> None:
    receive_order(shop, "SO-1", "W-1")
    text = post(integrator, "/mappings/ignore", **TERM, reason="a fee, not an item")
    assert "a fee, not an item" in text
    assert unmapped_terms() == []
    receive_order(shop, "SO-2", "W-1")
    assert unmapped_terms() == []
    assert IgnoredTerm.objects.get().decided_by
    post(integrator, "/mappings/unignore", **TERM)
    assert [term.orders for term in unmapped_terms()] == [2]


def test_effect_is_previewed_before_saving(integrator: Client, shop: Source, now: datetime) -> None:
    map_item("W-0", "A-0", now=now)
    process_all()
    receive_order(shop, "SO-1", "W-1")
    receive_order(shop, "SO-2", "W-1", at="2026-03-09T15:00:00Z")
    text = post(integrator, "/mappings/mapping/new", **ROW, act="effect")
    assert "Reprocesses 2 messages of 2 orders dated Mar 2, 2026 to Mar 9, 2026." in text
    assert TermMapping.objects.count() == 1
    assert "2 orders queued for reprocessing" in post(
        integrator, "/mappings/mapping/new", **ROW, act="save"
    )
    mapping_id = TermMapping.objects.get(external="W-1").pk
    changed = {**ROW, "canonical": "A-2", "version": "1"}
    process_all()
    assert "of 2 orders dated" in post(
        integrator, f"/mappings/mapping/{mapping_id}", **changed, act="effect"
    )
    assert TermMapping.objects.get(pk=mapping_id).canonical == "A-1"


def test_first_mapping_of_source_announces_full_reprocessing(
    integrator: Client,
) -> None:
    create_source("erp", role="erp")
    text = post(integrator, "/mappings/mapping/new", **{**ROW, "source": "erp"}, act="effect")
    assert "All of its orders are reprocessed once in the background." in text


def test_invalid_input_shows_error_and_entered_values(integrator: Client, shop: Source) -> None:
    answer = integrator.post(
        "/mappings/mapping/new", {**ROW, "valid_from": "tomorrow", "act": "save"}
    )
    assert answer.status_code == 400
    text = answer.content.decode()
    assert "not a date such as" in text
    assert 'value="W-1"' in text
    assert 'value="tomorrow"' in text


def test_row_shows_history_and_can_be_restored(
    integrator: Client, shop: Source, now: datetime
) -> None:
    map_item("W-1", "A-1", now=now)
    mapping = TermMapping.objects.get()
    post(
        integrator,
        f"/mappings/mapping/{mapping.pk}",
        **{**ROW, "canonical": "A-2"},
        version=1,
        act="save",
    )
    text = page(integrator, f"/mappings/mapping/{mapping.pk}")
    assert "<del>A-1</del> <ins>A-2</ins>" in text
    first = MasterChange.objects.earliest("pk")
    assert "Restored version 1." in post(
        integrator, f"/mappings/mapping/{mapping.pk}/back/{first.pk}"
    )
    assert TermMapping.objects.get().canonical == "A-1"


def customer_page(client: Client, number: str) -> str:
    """The main part of the page of a customer, with single spaces and without tags."""
    row = Customer.objects.get(number=number)
    main = page(client, f"/mappings/customer/{row.pk}").split("hierarchy-head")[2]
    return " ".join(re.sub(r"<[^>]+>", "", main).split())


def test_customer_shows_parents_and_orders_with_branches(
    integrator: Client, shop: Source, now: datetime
) -> None:
    put_rows(
        "customer",
        {"number": "GROUP"},
        {"number": "SOUTH", "parent": "GROUP"},
        {"number": "C-1", "parent": "SOUTH"},
        now=now,
    )
    receive_order(shop, "SO-1", customer_no="C-1")
    receive_order(shop, "SO-2", customer_no="SOUTH")
    receive_order(shop, "SO-3", customer_no="C-9")
    branch = customer_page(integrator, "C-1")
    assert (
        "Parent customer: SOUTH, which belongs to GROUP "
        "Orders of this customer and its branches: 1 " in branch
    )
    assert "Parent customer: GROUP Orders of this customer and its branches: 2 " in customer_page(
        integrator, "SOUTH"
    )
    assert "No parent customer. Orders of this customer and its branches: 2 " in customer_page(
        integrator, "GROUP"
    )
    put_rows("item", {"number": "A-1"}, now=now)
    assert "branches" not in page(integrator, f"/mappings/item/{Item.objects.get().pk}")


def test_customer_page_runs_the_same_queries_for_any_number_of_branches(
    integrator: Client, shop: Source, now: datetime
) -> None:
    put_rows("customer", {"number": "GROUP"}, {"number": "C-0", "parent": "GROUP"}, now=now)
    group, leaf = (Customer.objects.get(number=n).pk for n in ("GROUP", "C-0"))
    counted = [statements(integrator, f"/mappings/customer/{key}") for key in (group, leaf)]
    put_rows("customer", *({"number": f"C-{n}", "parent": "C-0"} for n in range(1, 20)), now=now)
    for n in range(3):
        receive_order(shop, f"SO-{n}", customer_no=f"C-{n}")
    counted += [statements(integrator, f"/mappings/customer/{key}") for key in (group, leaf)]
    assert counted == [QUERIES_OF_CUSTOMER_PAGE] * 4
    assert "Orders of this customer and its branches: 3 " in customer_page(integrator, "GROUP")


def test_deleted_row_can_be_restored(integrator: Client, now: datetime) -> None:
    put_rows("item", {"number": "A-1"}, now=now)
    address = f"/mappings/item/{Item.objects.get().pk}"
    assert "Deleted." in post(integrator, address, act="remove")
    assert not Item.objects.exists()
    assert "Restore" in page(integrator, address)
    post(integrator, f"{address}/back/{MasterChange.objects.latest('pk').pk}")
    assert Item.objects.get().number == "A-1"


@pytest.mark.parametrize("button", ["save", "effect"])
def test_edit_of_a_changed_row_shows_both_versions_and_saves_the_chosen_one(
    integrator: Client, now: datetime, button: str
) -> None:
    put_rows("item", {"number": "A-1"}, now=now)
    address = f"/mappings/item/{Item.objects.get().pk}"
    put_rows("item", {"number": "A-1", "title": "theirs"}, now=now)
    text = post(integrator, address, number="A-1", title="mine", version="1", act=button)
    assert "This row was changed by someone else" in text
    assert Item.objects.get().title == "theirs"
    assert re.search(r"<td>mine</td><td>theirs</td>", text)
    assert f'href="{address}">Take theirs' in text
    version = re.findall(r'name="version" value="(\d+)"', text)[0]
    post(integrator, address, number="A-1", title="mine", version=version, act="save")
    assert Item.objects.get().title == "mine"


def test_table_is_searched_by_number_title_and_source(
    integrator: Client, shop: Source, now: datetime
) -> None:
    put_rows("item", {"number": "A-1", "title": "Cable gland"}, {"number": "B-2"}, now=now)
    map_item("W-1", "A-1", now=now)
    rows = page(integrator, "/mappings/item?q=cable")
    assert "Cable gland" in rows
    assert ">B-2<" not in rows
    assert "W-1" in page(integrator, "/mappings/mapping?kind=item&source=shop")
    nothing = page(integrator, "/mappings/mapping?kind=item&source=other")
    assert "No mappings match these 2 filters" in nothing
    old = integrator.get("/mappings/item?tab=words&source=shop")
    assert old.headers["Location"] == "/mappings/mapping?kind=item&source=shop"
    assert integrator.get("/mappings/item?tab=rows&q=x").headers["Location"] == "/mappings/item?q=x"
    assert integrator.get("/mappings/status").headers["Location"] == "/mappings/mapping?kind=status"


def test_table_shows_usage_of_each_row(integrator: Client, shop: Source, now: datetime) -> None:
    map_item("W-1", "A-1", now=now)
    receive_order(shop, "SO-1", "W-1", at=now.isoformat())
    used = page(integrator, "/mappings/mapping?kind=item")
    assert '<td data-column="used" class="number" data-title="Orders, 30 days">1</td>' in used


def test_file_is_validated_previewed_and_imported_after_approval(integrator: Client) -> None:
    file = SimpleUploadedFile("items.csv", b"number,title\nA-1,One\n")
    assert "queued for validation" in post(integrator, "/mappings/item/file", file=file)
    imported = MasterImport.objects.get()
    address = f"/mappings/files/{imported.pk}"
    assert integrator.get(address)["Refresh"] == "2"
    imports.run_pending_imports()
    text = page(integrator, address)
    assert "Preview: 1 added, 0 changed, 0 unchanged, 0 invalid." in text
    assert not Item.objects.exists()
    post(integrator, f"{address}/apply")
    imports.run_pending_imports()
    assert "Imported: 1 added" in page(integrator, address)
    assert Item.objects.get().title == "One"
    assert "items.csv" in page(integrator, "/mappings")


def test_invalid_rows_are_listed_by_number(integrator: Client) -> None:
    file = SimpleUploadedFile("items.csv", f"number,unit\nA-1,{'x' * 30}\n".encode())
    post(integrator, "/mappings/item/file", file=file)
    imports.run_pending_imports()
    text = page(integrator, f"/mappings/files/{MasterImport.objects.get().pk}")
    assert "unit has more than 20 characters" in text
    assert "Nothing is imported" in text


def test_unsupported_file_type_is_rejected(integrator: Client) -> None:
    file = SimpleUploadedFile("items.pdf", b"x")
    assert "The file must be CSV or XLSX." in post(integrator, "/mappings/item/file", file=file)
    assert "Choose a file first." in post(integrator, "/mappings/item/file")


def test_mapping_export_can_be_limited_to_one_kind(
    integrator: Client, shop: Source, now: datetime
) -> None:
    map_item("W-1", "A-1", now=now)
    put_rows("mapping", {"kind": "unit", "external": "Box", "canonical": "BX"}, now=now)
    answer: Any = integrator.get("/mappings/mapping/export.csv?kind=unit")
    text = b"".join(answer.streaming_content).decode()
    assert "Box" in text
    assert "W-1" not in text
    assert integrator.get("/mappings/mapping/export.pdf").status_code == 404


def test_affected_orders_show_status_and_customer_by_permission(
    integrator: Client, shop: Source
) -> None:
    receive_order(shop, "SO-1", "W-1", customer_no="C100", customer_name="Nora Quist")
    Order.objects.update(status="partially_shipped", customer_no="C100")
    address = "/mappings/affected?kind=item&source=shop&term=W-1"
    seen, permitted = page(integrator, address), page(signed_in(UserRole.OPERATIONS), address)
    assert ("Nora Quist" in seen, "C100" in seen, "Partially shipped" in seen) == (
        False,
        True,
        True,
    )
    assert "Nora Quist" in permitted


def test_html_in_data_is_escaped(integrator: Client, shop: Source, now: datetime) -> None:
    put_rows("item", {"number": HOSTILE, "title": HOSTILE}, now=now)
    map_item(HOSTILE, HOSTILE, now=now)
    receive_order(shop, "SO-1", f"{HOSTILE}2", customer_no=HOSTILE, customer_name=HOSTILE)
    mapping_id = TermMapping.objects.get().pk
    for address in (
        "/mappings",
        "/mappings/item",
        "/mappings/mapping?kind=item",
        f"/mappings/mapping/{mapping_id}",
        "/mappings/mapping/new?kind=item&external=<script>alert(1)</script>",
        "/mappings/affected?kind=item&source=shop&term=<script>alert(1)</script>2",
    ):
        assert HOSTILE not in page(integrator, address)


def test_statement_count_does_not_grow(integrator: Client, shop: Source, now: datetime) -> None:
    counted = []
    for first in (0, 10):
        for n in range(first, first + 10):
            map_item(f"W-{n}", f"A-{n}", now=now)
            receive_order(shop, f"SO-{n}", f"W-{n}", f"X-{n}")
        counted.append([statements(integrator, a) for a in ("/mappings", "/mappings/mapping")])
    assert counted[0] == counted[1]


@pytest.mark.parametrize(
    "address",
    [
        "/mappings/item/99999999999999999999",
        "/mappings/nothing/1",
        "/mappings/nothing/new",
        "/mappings/files/99999999999999999999",
        "/mappings/affected",
        "/mappings/affected?kind=item&term=%00",
        "/mappings/item/export.exe",
    ],
)
def test_unknown_addresses_are_404(integrator: Client, address: str) -> None:
    assert integrator.get(address).status_code == 404


def test_invalid_query_parameters_are_ignored(integrator: Client) -> None:
    for query in ("?after=x", "?after=99999999999999999999", "?tab=%00", "?q=%00", "?source=%00"):
        assert integrator.get(f"/mappings/mapping{query}").status_code == 200
    assert integrator.post("/mappings/accept-all", {"certainty": "9" * 40}).status_code == 302
