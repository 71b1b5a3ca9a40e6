"""Builders of orders for the tests of lists: with ties and without values in every sort key."""

import csv
import io
import re
import zipfile
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.test import Client

from tests.builders.alerts import alert, order
from tests.builders.users import user_of_role
from visibility.master_data.xlsx_reader import read_first_sheet
from visibility.models import Alert, Order
from visibility.web.permissions import UserRole

MONDAY = datetime(2026, 3, 2, 12, tzinfo=UTC)


def create_orders_with_ties_and_gaps(number: int) -> list[Order]:
    """Orders of which several share each value, and some have none."""
    return [
        order(
            f"SO-{index % 5}",
            key=f"SO-{index}",
            customer_name=("", "Acme Tools", "Zenith")[index % 3],
            customer_no=f"C{index % 3}",
            status=("released", "shipped")[index % 2],
            promised_at=(None, MONDAY, MONDAY + timedelta(days=1))[index % 3],
            ordered_at=(None, MONDAY)[index % 2],
            total=(None, Decimal("12.5"), Decimal("7"))[index % 3],
            last_event_at=MONDAY + timedelta(hours=index % 4),
        )
        for index in range(number)
    ]


def create_alerts_with_ties_and_gaps(number: int) -> list[Alert]:
    """Open alerts of which several share each value, and some have none."""
    owners = [None, user_of_role(UserRole.OPERATIONS, "ann"), user_of_role(UserRole.OPERATIONS)]
    return [
        alert(
            f"SO-A{index}",
            severity=("high", "low", "critical")[index % 3],
            money=(None, Decimal("5"), Decimal("7.5"))[index % 3],
            team=("", "Warehouse")[index % 2],
            owner=owners[index % 3],
            due_at=MONDAY + timedelta(hours=index % 3),
            opened_at=MONDAY + timedelta(hours=index % 4),
        )
        for index in range(number)
    ]


def walk_pages(client: Client, address: str) -> list[int]:
    """The ids of the rows of all pages, in their order, by the link to the next page."""
    ids: list[int] = []
    path = address.partition("?")[0]
    for _ in range(50):
        page = client.get(address).content.decode()
        rows = page.partition("<tbody")[2].partition("</tbody>")[0]
        ids += map(int, re.findall(r'data-id="(\d+)"', rows))
        link = re.search(r'href="([^"]*)"[^>]*>Next page', page)
        if link is None:
            return ids
        address = path + "?" + link[1].replace("&amp;", "&").partition("?")[2]
    raise AssertionError("the pages do not end")


def read_csv_export(response: Any) -> tuple[dict[str, str], list[dict[str, str]]]:
    """The heading and the rows of a CSV export."""
    assert response.status_code == 200, response.content
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    lines = list(csv.reader(io.StringIO(b"".join(response).decode())))
    blank = lines.index([])
    names = lines[blank + 1]
    rows = [dict(zip(names, line, strict=True)) for line in lines[blank + 2 :]]
    return dict(lines[:blank]), rows


def read_xlsx_export(response: Any) -> list[list[str]]:
    """The cells of an XLSX export as texts; dates are serial numbers."""
    assert response.status_code == 200, response.content
    content = b"".join(response)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert b"<f>" not in archive.read("xl/worksheets/sheet1.xml")
    return [cells for _, cells in read_first_sheet(io.BytesIO(content))]
