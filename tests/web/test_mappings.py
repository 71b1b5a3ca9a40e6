"""The mappings: unmapped words, tables, rows with their history, files."""

import re
from datetime import datetime
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from tests.master.conftest import mapped, put, settle, told
from tests.web.alert_cast import signed_in, statements
from visibility.master_data import imports
from visibility.models import (
    AuditEntry,
    Item,
    MasterChange,
    MasterImport,
    NeverMap,
    Order,
    Source,
    WordMapping,
    WordUse,
)
from visibility.pipeline import stages
from visibility.screens.mappings.queries import unmapped
from visibility.web.permissions import Role

pytestmark = pytest.mark.django_db
HOSTILE = "<script>alert(1)</script>"
READERS = (Role.OPERATIONS, Role.INTEGRATOR, Role.ADMIN)


@pytest.fixture(autouse=True)
def bells(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The doorbells that were rung."""
    rung: list[str] = []
    monkeypatch.setattr(stages, "nudge", rung.append)
    return rung


@pytest.fixture
def shop(db: None) -> Source:
    return Source.objects.create(
        slug="shop",
        title="Shop",
        connector="cloudevents",
        role="shop",
        config={"governed": "item,location,customer"},
    )


@pytest.fixture
def integrator() -> Client:
    return signed_in(Role.INTEGRATOR, "ines")


def page(client: Client, address: str, status: int = 200) -> str:
    answer = client.get(address)
    assert answer.status_code == status, address
    return answer.content.decode()


def post(client: Client, address: str, **fields: Any) -> str:
    """The page after the act."""
    answer: Any = client.post(address, fields, follow=True)
    return str(answer.content.decode())


WORD = {"table": "item", "source": "shop", "word": "W-1"}
ROW = {"table": "item", "source": "shop", "theirs": "W-1", "ours": "A-1"}


@pytest.mark.parametrize("role", list(Role))
def test_who_may_see_and_who_may_edit(role: Role, shop: Source, now: datetime) -> None:
    told(shop, "SO-1", "W-1")
    put("item", {"number": "A-1"}, now=now)
    client = signed_in(role)
    held = Item.objects.get().pk
    sees, edits = role in READERS, role in {Role.INTEGRATOR, Role.ADMIN}
    for address in ("/mappings", "/mappings/item", f"/mappings/item/{held}"):
        assert client.get(address).status_code == (200 if sees else 403)
    assert client.get("/mappings/item/export.csv").status_code == (200 if sees else 403)
    assert client.get("/mappings/item/new").status_code == (200 if edits else 403)
    for address in (
        "/mappings/accept",
        "/mappings/accept-all",
        "/mappings/never",
        "/mappings/again",
        "/mappings/item/file",
        f"/mappings/item/{held}",
    ):
        status = client.post(address, {**WORD, "ours": "A-1"}).status_code
        assert status == (403 if not edits else 400 if address.endswith(str(held)) else 302)
    front = page(client, "/orders")
    assert ('href="/mappings"' in front) == sees


def test_operations_see_no_button_they_may_not_press(shop: Source, now: datetime) -> None:
    put("item", {"number": "W-11"}, now=now)
    told(shop, "SO-1", "W-1")
    client = signed_in(Role.OPERATIONS)
    held = Item.objects.get().pk
    for address in ("/mappings", "/mappings/item", f"/mappings/item/{held}"):
        posts = re.findall(r'<form method="post" action="([^"]+)"', page(client, address))
        assert set(posts) == {"/signout"}


def test_an_empty_installation_says_what_will_be_here(integrator: Client) -> None:
    text = page(integrator, "/mappings")
    assert "No source must be mapped" in text
    assert "Nothing here yet" in page(integrator, "/mappings/tax")
    assert page(integrator, "/mappings/nothing", 404)


def test_unmapped_words_come_first_with_the_orders_they_hurt(
    integrator: Client, shop: Source, now: datetime
) -> None:
    put("item", {"number": "W-11", "title": "Gland"}, now=now)
    told(shop, "SO-1", "W-1", "W-2")
    order = told(shop, "SO-2", "W-1")
    text = page(integrator, "/mappings")
    assert "2 words are unmapped and hurt 2 orders." in text
    assert text.index("2 orders hurt") < text.index("1 order hurt")
    assert "number alike" in text
    hurt = page(integrator, "/mappings/hurt?table=item&source=shop&word=W-1")
    assert f'href="/orders/{order.pk}"' in hurt


def test_accepting_a_suggestion_heals_by_itself(
    integrator: Client, shop: Source, bells: list[str]
) -> None:
    told(shop, "SO-1", "W-1")
    told(shop, "SO-2", "W-1")
    text = post(integrator, "/mappings/accept", **WORD, ours="A-1")
    assert "1 word mapped. 2 orders read again." in text
    assert "fold" in bells
    settle()
    assert "is known" in page(integrator, "/mappings")
    assert not WordUse.objects.filter(unmapped=True).exists()
    assert set(WordUse.objects.values_list("ours", flat=True)) == {"A-1"}
    assert AuditEntry.objects.filter(what="master.mapping", who__username="ines").exists()


def test_what_nobody_may_accept_is_said(integrator: Client, shop: Source) -> None:
    told(shop, "SO-1", "W-1")
    assert "Nothing was mapped: ours is missing" in post(integrator, "/mappings/accept", **WORD)
    assert not WordMapping.objects.exists()


def test_all_above_a_certainty_are_accepted_but_no_guess_between_equals(
    integrator: Client, shop: Source, now: datetime
) -> None:
    put(
        "item",
        {"number": "A-1", "ean": "4006381333931"},
        {"number": "B-1", "ean": "40063813"},
        {"number": "B-2", "ean": "40063813"},
        {"number": "GLAND-20"},
        now=now,
    )
    told(shop, "SO-1", "4006381333931", "40063813", "GLAND-21")
    text = post(integrator, "/mappings/accept-all", certainty="100", table="")
    assert "1 word mapped." in text
    assert list(WordMapping.objects.values_list("theirs", "ours")) == [("4006381333931", "A-1")]
    assert "No suggestion is 100 % certain" in post(
        integrator, "/mappings/accept-all", certainty="100", table="item", on="table"
    )


def test_never_map_is_kept_and_can_be_taken_back(integrator: Client, shop: Source) -> None:
    told(shop, "SO-1", "W-1")
    text = post(integrator, "/mappings/never", **WORD, why="a fee, no article")
    assert "a fee, no article" in text
    assert unmapped() == []
    told(shop, "SO-2", "W-1")
    assert unmapped() == []
    assert NeverMap.objects.get().decided_by
    post(integrator, "/mappings/again", **WORD)
    assert [word.orders for word in unmapped()] == [2]


def test_the_effect_is_told_before_anything_is_saved(
    integrator: Client, shop: Source, now: datetime
) -> None:
    mapped("W-0", "A-0", now=now)
    settle()
    told(shop, "SO-1", "W-1")
    told(shop, "SO-2", "W-1", at="2026-03-09T15:00:00Z")
    text = post(integrator, "/mappings/mapping/new", **ROW, act="effect")
    assert "Reads 2 messages of 2 orders again, told between 02 Mar 2026 and 09 Mar 2026." in text
    assert WordMapping.objects.count() == 1
    assert "2 orders read again" in post(integrator, "/mappings/mapping/new", **ROW, act="save")
    held = WordMapping.objects.get(theirs="W-1").pk
    changed = {**ROW, "ours": "A-2", "version": "1"}
    settle()
    assert "2 orders again" in post(
        integrator, f"/mappings/mapping/{held}", **changed, act="effect"
    )
    assert WordMapping.objects.get(pk=held).ours == "A-1"


def test_the_first_mapping_of_a_source_says_that_all_its_orders_are_read(
    integrator: Client,
) -> None:
    Source.objects.create(slug="erp", title="ERP", connector="cloudevents", role="erp")
    text = post(integrator, "/mappings/mapping/new", **{**ROW, "source": "erp"}, act="effect")
    assert "every order of their source is read again once" in text


def test_a_mistake_is_said_and_what_was_typed_stays(integrator: Client, shop: Source) -> None:
    answer = integrator.post(
        "/mappings/mapping/new", {**ROW, "valid_from": "tomorrow", "act": "save"}
    )
    assert answer.status_code == 400
    text = answer.content.decode()
    assert "not a day such as" in text
    assert 'value="W-1"' in text
    assert 'value="tomorrow"' in text


def test_a_row_shows_its_history_and_goes_back(
    integrator: Client, shop: Source, now: datetime
) -> None:
    mapped("W-1", "A-1", now=now)
    held = WordMapping.objects.get()
    post(
        integrator, f"/mappings/mapping/{held.pk}", **{**ROW, "ours": "A-2"}, version=1, act="save"
    )
    text = page(integrator, f"/mappings/mapping/{held.pk}")
    assert "<del>A-1</del> <ins>A-2</ins>" in text
    first = MasterChange.objects.earliest("pk")
    assert "As it was in version 1." in post(
        integrator, f"/mappings/mapping/{held.pk}/back/{first.pk}"
    )
    assert WordMapping.objects.get().ours == "A-1"


def test_a_row_taken_away_is_brought_back(integrator: Client, now: datetime) -> None:
    put("item", {"number": "A-1"}, now=now)
    address = f"/mappings/item/{Item.objects.get().pk}"
    assert "Taken away" in post(integrator, address, act="remove")
    assert not Item.objects.exists()
    assert "Bring it back" in page(integrator, address)
    post(integrator, f"{address}/back/{MasterChange.objects.latest('pk').pk}")
    assert Item.objects.get().number == "A-1"


def test_two_people_do_not_overwrite_each_other(integrator: Client, now: datetime) -> None:
    put("item", {"number": "A-1"}, now=now)
    address = f"/mappings/item/{Item.objects.get().pk}"
    put("item", {"number": "A-1", "title": "theirs"}, now=now)
    text = post(integrator, address, number="A-1", title="mine", version="1", act="save")
    assert "Somebody changed this row meanwhile" in text
    assert Item.objects.get().title == "theirs"


def test_a_table_is_found_by_number_title_and_source(
    integrator: Client, shop: Source, now: datetime
) -> None:
    put("item", {"number": "A-1", "title": "Cable gland"}, {"number": "B-2"}, now=now)
    mapped("W-1", "A-1", now=now)
    rows = page(integrator, "/mappings/item?tab=rows&q=cable")
    assert "Cable gland" in rows
    assert ">B-2<" not in rows
    assert "W-1" in page(integrator, "/mappings/item?source=shop")
    assert "Nothing found" in page(integrator, "/mappings/item?source=other")


def test_a_table_says_how_many_orders_used_a_row(
    integrator: Client, shop: Source, now: datetime
) -> None:
    mapped("W-1", "A-1", now=now)
    told(shop, "SO-1", "W-1", at=now.isoformat())
    assert "1 order" in page(integrator, "/mappings/item")


def test_a_file_is_judged_shown_and_written_after_a_yes(integrator: Client) -> None:
    file = SimpleUploadedFile("items.csv", b"number,title\nA-1,One\n")
    assert "will be read in a moment" in post(integrator, "/mappings/item/file", file=file)
    kept = MasterImport.objects.get()
    address = f"/mappings/files/{kept.pk}"
    assert integrator.get(address)["Refresh"] == "2"
    imports.work()
    text = page(integrator, address)
    assert "Would be: 1 added, 0 changed, 0 unchanged, 0 invalid." in text
    assert not Item.objects.exists()
    post(integrator, f"{address}/apply")
    imports.work()
    assert "Written: 1 added" in page(integrator, address)
    assert Item.objects.get().title == "One"
    assert "items.csv" in page(integrator, "/mappings")


def test_rows_that_cannot_be_taken_are_shown_by_number(integrator: Client) -> None:
    file = SimpleUploadedFile("items.csv", f"number,unit\nA-1,{'x' * 30}\n".encode())
    post(integrator, "/mappings/item/file", file=file)
    imports.work()
    text = page(integrator, f"/mappings/files/{MasterImport.objects.get().pk}")
    assert "unit has more than 20 characters" in text
    assert "Nothing is written" in text


def test_a_file_of_another_kind_is_refused(integrator: Client) -> None:
    file = SimpleUploadedFile("items.pdf", b"x")
    assert "A file is a CSV or an XLSX." in post(integrator, "/mappings/item/file", file=file)
    assert "Choose a file first." in post(integrator, "/mappings/item/file")


def test_only_the_words_of_one_kind_leave_if_asked(
    integrator: Client, shop: Source, now: datetime
) -> None:
    mapped("W-1", "A-1", now=now)
    put("mapping", {"table": "unit", "theirs": "Box", "ours": "BX"}, now=now)
    answer: Any = integrator.get("/mappings/mapping/export.csv?kind=unit")
    text = b"".join(answer.streaming_content).decode()
    assert "Box" in text
    assert "W-1" not in text
    assert integrator.get("/mappings/mapping/export.pdf").status_code == 404


def test_the_hurt_orders_tell_where_they_stand_and_the_customer_to_those_who_may(
    integrator: Client, shop: Source
) -> None:
    told(shop, "SO-1", "W-1", customer_no="C100", customer_name="Nora Quist")
    Order.objects.update(status="partially_shipped", customer_no="C100")
    address = "/mappings/hurt?table=item&source=shop&word=W-1"
    seen, whole = page(integrator, address), page(signed_in(Role.OPERATIONS), address)
    assert ("Nora Quist" in seen, "C100" in seen, "Partly shipped" in seen) == (False, True, True)
    assert "Nora Quist" in whole


def test_outside_text_is_text(integrator: Client, shop: Source, now: datetime) -> None:
    put("item", {"number": HOSTILE, "title": HOSTILE}, now=now)
    mapped(HOSTILE, HOSTILE, now=now)
    told(shop, "SO-1", f"{HOSTILE}2", customer_no=HOSTILE, customer_name=HOSTILE)
    held = WordMapping.objects.get().pk
    for address in (
        "/mappings",
        "/mappings/item",
        "/mappings/item?tab=rows",
        f"/mappings/mapping/{held}",
        "/mappings/mapping/new?table=item&theirs=<script>alert(1)</script>",
        "/mappings/hurt?table=item&source=shop&word=<script>alert(1)</script>2",
    ):
        assert HOSTILE not in page(integrator, address)


def test_pages_ask_a_number_of_questions_that_does_not_grow(
    integrator: Client, shop: Source, now: datetime
) -> None:
    counted = []
    for first in (0, 10):
        for n in range(first, first + 10):
            mapped(f"W-{n}", f"A-{n}", now=now)
            told(shop, f"SO-{n}", f"W-{n}", f"X-{n}")
        counted.append([statements(integrator, a) for a in ("/mappings", "/mappings/item")])
    assert counted[0] == counted[1]


@pytest.mark.parametrize(
    "address",
    [
        "/mappings/item/99999999999999999999",
        "/mappings/nothing/1",
        "/mappings/nothing/new",
        "/mappings/files/99999999999999999999",
        "/mappings/hurt",
        "/mappings/hurt?table=item&word=%00",
        "/mappings/item/export.exe",
    ],
)
def test_what_is_not_there_is_not_found(integrator: Client, address: str) -> None:
    assert integrator.get(address).status_code == 404


def test_odd_parameters_are_no_trouble(integrator: Client) -> None:
    for query in ("?after=x", "?after=99999999999999999999", "?tab=%00", "?q=%00", "?source=%00"):
        assert integrator.get(f"/mappings/item{query}").status_code == 200
    assert integrator.post("/mappings/accept-all", {"certainty": "9" * 40}).status_code == 302
