"""The currency of the organization comes first where sums in several currencies are listed."""

import re
from decimal import Decimal

import pytest
from django.test import Client

from tests.builders.alerts import alert, order
from tests.builders.users import signed_in
from visibility.storage.organization import own_currency_first
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
AMOUNTS = {"JPY": 900_000, "USD": 70_000, "GBP": 60_000, "EUR": 50_000}


@pytest.fixture
def operations() -> Client:
    """Four orders with an alert each; the organization reports in EUR."""
    for currency, amount in AMOUNTS.items():
        of = order(f"SO-{currency}", total=Decimal(amount), currency=currency)
        alert(of=of, money=Decimal(amount), currency=currency, subject_key=currency)
    body = {"name": "Acme", "currency": "EUR"}
    admin = signed_in(UserRole.ADMIN)
    assert admin.patch("/api/v1/organization", body, "application/json").status_code == 200
    return signed_in(UserRole.OPERATIONS)


def currencies(text: str) -> list[str]:
    return re.findall(r"[\d,]+ (?:<small>)?(JPY|USD|GBP|EUR)\b", text)


def test_sums_of_orders_have_room_for_three_and_the_own_one_is_first(operations: Client) -> None:
    page = operations.get("/orders").content.decode()
    line = page.partition('class="list-sum')[2].partition("</p>")[0]
    assert currencies(line) == ["EUR", "JPY", "USD"]
    assert "50,000 EUR" in line


def test_value_at_risk_on_the_board(operations: Client) -> None:
    page = operations.get("/boards/operations").content.decode()
    assert re.findall(r'data-mark="now-money-(\w+)"', page) == ["EUR", "JPY", "USD"]


def test_groups_of_alerts(operations: Client) -> None:
    cause = operations.get("/api/v1/alerts/groups?by=cause").json()["items"]
    assert [each["currency"] for each in cause[0]["money_at_risk"]] == ["EUR", "JPY", "USD", "GBP"]
    page = operations.get("/alerts?by=cause").content.decode()
    assert currencies(page)[0] == "EUR"


def test_groups_sorted_by_value_compare_the_own_currency(operations: Client) -> None:
    of = order("SO-LARGE", total=Decimal(80_000), currency="EUR")
    alert(of=of, money=Decimal(80_000), currency="EUR", subject_key="large")
    groups = operations.get("/api/v1/alerts/groups?by=order&sort=money").json()["items"]
    numbers = [group["title"].removeprefix("Order ") for group in groups]
    assert numbers == ["SO-LARGE", "SO-EUR", "SO-JPY", "SO-USD", "SO-GBP"]


def test_without_an_amount_in_the_own_currency_the_largest_number_is_first(
    operations: Client,
) -> None:
    sums = [(Decimal(1), "GBP"), (Decimal(3), ""), (Decimal(2), "USD")]
    assert own_currency_first(sums) == [(Decimal(3), ""), (Decimal(2), "USD"), (Decimal(1), "GBP")]
