"""Cases of real use: every order and message has its right answer, on pages and in alerts too."""

import re
from collections.abc import Iterator
from io import StringIO

import pytest
from django.core.management import call_command
from pytest_django.plugin import DjangoDbBlocker

from tests.builders.sla_rules import always_open, create_rule
from tests.builders.users import create_user
from tests.empty_tables import empty_tables
from tests.processes.journeys.case_run import CASES, PASSWORD, SECRET, SOURCES, CaseRun
from tests.product import Product
from visibility.web.permissions import UserRole

pytestmark = [pytest.mark.slow, pytest.mark.django_db]


@pytest.fixture(scope="module")
def run(
    tmp_path_factory: pytest.TempPathFactory,
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[CaseRun]:
    """The product after all cases were sent, with the rule `stuck` enabled on its page."""
    with django_db_blocker.unblock():
        product = Product(tmp_path_factory.mktemp("cases"))
        product.write_static_manifest()
        for slug, (connector, *config) in SOURCES.items():
            arguments = ["source", "add", slug, "--connector", connector, "--secret", SECRET]
            call_command(*arguments, *(["--config", *config] if config else []), stdout=StringIO())
        create_user(UserRole.ADMIN, "olga", password=PASSWORD)
        create_rule(always_open(), enabled=False)
        try:
            product.start("web", "worker")
            running = CaseRun(product)
            running.submit("/signin", "/signin", username="olga", password=PASSWORD)
            form = {"severity": "high", "team": "Warehouse", "enabled": "on", "param.within": "4"}
            running.submit("/rules/stuck", "/rules/stuck/save", **form)
            running.send_all_cases()
            running.wait_for_stuck_alerts()
            yield running
            running.client.close()
        finally:
            product.stop()
            empty_tables()


def test_every_case_has_its_right_answer(run: CaseRun) -> None:
    results = run.results()
    wrong = []
    for case in CASES:
        right = {
            "outcomes": list(case.outcomes) or ["applied"] * len(case.messages),
            "orders": case.orders,
        }
        if results[case.name] != right:
            wrong.append(f"{case.name}:\n  is    {results[case.name]}\n  right {right}")
    assert not wrong, "\n".join(wrong)
    numbers = [order["number"] for order in run.all_items("orders")]
    assert sorted(numbers) == sorted(number for case in CASES for number in case.orders)


def orders_with_alert(run: CaseRun) -> set[str]:
    """The orders on the page of open alerts."""
    return set(re.findall(r"\bS-\d{5}\b", run.page("/alerts?by=one")))


def test_search_and_alerts_keep_two_orders_of_one_customer_po_separate(run: CaseRun) -> None:
    assert 'method="get" action="/search"' in run.page("/orders")
    results_page = run.page("/search?q=B-550")
    assert "2 orders match “B-550”" in results_page
    hits = re.findall(
        r'href="/orders/\d+">([^<]+)</a>.*?<td class="card-wide soft">([^<]+)</td>', results_page
    )
    assert dict(hits) == {
        "S-52008": "Shipped: 1 of 1 line shipped on Wed, Feb 4.",
        "S-52009": "Released to the warehouse since Wed, Feb 4.",
    }
    assert orders_with_alert(run) & {"S-52008", "S-52009"} == {"S-52009"}


def test_control_number_of_another_year_hides_no_order_and_no_alert(run: CaseRun) -> None:
    earlier = run.page("/search?q=B-551")
    assert "S-52010" in earlier
    answer = re.sub(r"<[^>]+>", "", earlier.partition('id="answer">')[2].partition("</p>")[0])
    assert answer.startswith("Shipped: 1 of 1 line shipped on Thu, Feb 6.")
    assert orders_with_alert(run) & {"S-52010", "S-52011"} == {"S-52011"}
    for number in ("B-551", "B-552"):
        rows = run.page(f"/messages?source=edi&q={number}")
        assert re.findall(r'class="message-result">.*?(Processed|Parked)', rows) == ["Processed"]
    problems = re.findall(r'class="message-why">([^<]+)<', run.page("/messages?state=parked"))
    assert len(problems) == sum(o.startswith("parked") for case in CASES for o in case.outcomes)
    assert not [text for text in problems if "with other content" in text]
