"""Lists that follow from a declaration: the same rows on the page, in exports and in the API.

A row of `CASES` tests each of its filters, sort orders and doors.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.test import Client
from django.utils.http import urlencode

from tests.builders.listed_orders import read_csv_export, read_xlsx_export, walk_pages
from tests.builders.unmatched_packages import create_unmatched_packages
from tests.builders.users import signed_in
from visibility.models import AuditEntry
from visibility.screens.identity.unmatched_columns import UNMATCHED_LIST
from visibility.screens.lists.list_definition import ListDefinition, Viewer
from visibility.screens.lists.list_filters import FilterKind
from visibility.web import list_page
from visibility.web.permissions import Permission, UserRole

pytestmark = pytest.mark.django_db
EVERYTHING = Viewer(0, "", frozenset(Permission))


@dataclass(frozen=True)
class ListCase:
    """A list with rows, of which each query of `finds` finds exactly the first.

    `api`: the path of its rows below the API, whose items have `id_name`. `without`: a role that
    may not open it.
    """

    definition: ListDefinition
    role: UserRole
    build: Callable[[], list[int]]
    finds: Mapping[str, str]
    wrong: Mapping[str, str]
    api: str
    without: UserRole
    sizes: Mapping[str, int] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """The address of its page."""
        return self.definition.url

    def client(self) -> Client:
        """Someone who may see and export the list."""
        return signed_in(self.role, "olga")


CASES = {
    "unmatched": ListCase(
        UNMATCHED_LIST,
        UserRole.OPERATIONS,
        create_unmatched_packages,
        {
            "q": "1z 777",
            "kind": "package",
            "source": "wms",
            "item": "A-1",
            "warehouse": "Dallas",
            "location": "Austin, TX",
            "carrier": "UPS",
            "min_age": "3",
            "likely": "1",
        },
        {"kind": "planet", "source": "planet", "min_age": "0", "likely": "yes", "item": "x" * 251},
        "matching/unmatched",
        UserRole.EXECUTIVE,
    ),
}
FINDS = [(code, name) for code, case in CASES.items() for name in case.finds]
WRONG = [(code, name) for code, case in CASES.items() for name in case.wrong]


def api_ids(client: Client, address: str) -> list[int]:
    """The ids of the items of all pages of the API."""
    ids: list[int] = []
    cursor: str | None = ""
    joiner = "&" if "?" in address else "?"
    while cursor is not None:
        answer = client.get(f"/api/v1/{address}{joiner}page_size=3&cursor={cursor}")
        assert answer.status_code == 200, answer.content
        ids += [int(item["id"]) for item in answer.json()["items"]]
        cursor = answer.json()["next"]
    return ids


@pytest.mark.parametrize("code", CASES)
def test_every_filter_is_tested(code: str) -> None:
    case = CASES[code]
    assert set(case.finds) == set(case.definition.filters)


@pytest.mark.parametrize(("code", "name"), FINDS)
def test_page_exports_and_api_find_the_same_rows(code: str, name: str) -> None:
    case = CASES[code]
    [first, *_], client = case.build(), case.client()
    query = urlencode({name: case.finds[name]})
    declared = case.definition.filters[name]
    assert walk_pages(client, f"{case.url}?{query}") == [first]
    for address in (f"{case.url}/export", f"/api/v1/{case.api}/export"):
        heading, rows = read_csv_export(client.get(f"{address}?format=csv&{query}"))
        assert len(rows) == 1, rows
        assert declared.label in heading["Filters"]
    assert AuditEntry.objects.filter(action="export").count() == 2
    assert api_ids(client, f"{case.api}?{query}") == [first]
    saved = client.post(
        "/api/v1/saved-views", {"list": code, "name": "View", "query": query}, "application/json"
    )
    assert saved.status_code == 201, saved.content
    opened = client.get(f"/saved-views/{saved.json()['id']}")
    assert walk_pages(client, opened.headers["Location"]) == [first]
    page = client.get(f"{case.url}?{query}").content.decode()
    chip = page.partition('aria-current="true" href="?')[2].partition("</a>")[0]
    assert declared.label in chip
    assert "<b>1 " in page


@pytest.mark.parametrize(("code", "name"), WRONG)
def test_wrong_value_is_an_error_at_its_chip_and_400_in_the_api(code: str, name: str) -> None:
    case = CASES[code]
    built, client = case.build(), case.client()
    query = urlencode({name: case.wrong[name]})
    page = client.get(f"{case.url}?{query}").content.decode()
    chip = page.partition('class="chip chip-wrong')[2].partition("</a>")[0]
    assert f">{case.definition.filters[name].label}<" in chip
    assert ", not applied" in chip
    assert sorted(walk_pages(client, f"{case.url}?{query}")) == sorted(built)
    assert client.get(f"{case.url}/export?format=csv&{query}").status_code == 302
    for address in (case.api, f"{case.api}/export"):
        answer = client.get(f"/api/v1/{address}?{query}")
        assert (answer.status_code, answer.json()["errors"][0]["path"]) == (400, name)


@pytest.mark.parametrize("code", CASES)
def test_pages_and_api_visit_every_row_once_in_each_order(
    code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(list_page, "PAGE_SIZE", 2)
    case = CASES[code]
    built, client = case.build(), case.client()
    titles = {column.code: column.title for column in case.definition.columns}
    for sort in case.definition.sort_orders(EVERYTHING):
        listed = walk_pages(client, f"{case.url}?sort={sort}")
        assert sorted(listed) == sorted(built), sort
        assert api_ids(client, f"{case.api}?sort={sort}") == listed, sort
        page = client.get(f"{case.url}?sort={sort}").content.decode()
        direction = "descending" if sort.startswith("-") else "ascending"
        head = re.search(rf'aria-sort="{direction}"><a href="[^"]+">([^<]+) <', page)
        assert head, sort
        assert head[1] in titles.values()
    assert walk_pages(client, case.url) == api_ids(client, case.api)
    assert "cannot be sorted by “planet”" in client.get(f"{case.url}?sort=planet").content.decode()
    assert client.get(f"/api/v1/{case.api}?sort=planet").status_code == 400


@pytest.mark.parametrize("code", CASES)
def test_empty_list_names_its_filters_and_removes_them(code: str) -> None:
    case = CASES[code]
    case.build()
    text = next(
        name
        for name, each in case.definition.filters.items()
        if each.kind is FilterKind.TEXT and not each.check("nothing")
    )
    other = next(name for name in case.finds if name != text)
    query = urlencode({text: "nothing", other: case.finds[other]})
    page = case.client().get(f"{case.url}?{query}").content.decode()
    empty = page.partition('class="empty"')[2].partition("</div>")[0]
    assert "match these 2 filters" in empty
    for name in (text, other):
        assert case.definition.filters[name].label in empty
    assert f'href="?{urlencode({other: case.finds[other]})}">Remove' in empty


@pytest.mark.parametrize("code", CASES)
def test_chosen_columns_are_those_of_the_page_and_the_exports(code: str) -> None:
    case = CASES[code]
    case.build()
    client = case.client()
    every = [column.code for column in case.definition.columns]
    chosen = [
        case.definition.fixed_column,
        *(c for c in every if c != case.definition.fixed_column),
    ]
    client.post(f"/lists/{code}/columns", {"columns": chosen})
    page = client.get(case.url).content.decode()
    head = page.partition("<thead>")[2].partition("</thead>")[0]
    assert re.findall(r'data-column="(\w+)"', head) == chosen
    row = page.partition("<tbody>")[2].partition("</tr>")[0]
    assert re.findall(r'data-column="(\w+)"', row) == chosen
    titles = {column.code: column.title for column in case.definition.columns}
    _, rows = read_csv_export(client.get(f"{case.url}/export?format=csv"))
    assert list(rows[0]) == [titles[each] for each in chosen]
    lines = read_xlsx_export(client.get(f"{case.url}/export?format=xlsx"))
    assert ["List", case.definition.title] in lines
    assert lines[lines.index(list(rows[0])) + 1][0] == rows[0][titles[chosen[0]]]


@pytest.mark.parametrize("code", CASES)
def test_only_roles_with_its_permission_open_and_export_the_list(code: str) -> None:
    case = CASES[code]
    case.build()
    stranger = signed_in(case.without)
    for address in (
        case.url,
        f"{case.url}/export?format=csv",
        f"/api/v1/{case.api}",
        f"/api/v1/{case.api}/export",
        f"/api/v1/lists/{code}/columns",
        f"/api/v1/lists/{code}/filters",
    ):
        assert stranger.get(address).status_code == 403, address
    view = {"list": code, "name": "All", "query": ""}
    assert stranger.post("/api/v1/saved-views", view, "application/json").status_code == 403


@pytest.mark.parametrize("code", CASES)
def test_filters_of_the_api_are_those_of_the_form(code: str) -> None:
    case = CASES[code]
    case.build()
    client = case.client()
    answer: Any = client.get(f"/api/v1/lists/{code}/filters").json()
    assert {each["name"] for each in answer["filters"]} == set(case.definition.filters)
    form = client.get(case.url).content.decode().partition('class="menu-body filter-form"')[2]
    fields = set(re.findall(r' name="(\w+)"', form.partition("</form>")[0]))
    assert fields == {n for n, each in case.definition.filters.items() if each.is_in_form}
