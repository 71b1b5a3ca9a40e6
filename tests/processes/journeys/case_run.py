"""Send the cases of real use to a running product, and read what it says about each."""

import base64
import hashlib
import hmac
import re
import time
from collections.abc import Callable, Iterable, Mapping
from itertools import zip_longest
from typing import Any
from urllib.parse import urlencode

import httpx2
from django.db import connection

from tests.builders import (
    cases_corrections,
    cases_erp,
    cases_shop,
    cases_tracking,
    cases_x12_acknowledgments,
    cases_x12_orders,
    cases_x12_shipments,
)
from tests.builders.case_messages import BUYER, SELLER, CaseMessage, UseCase
from tests.product import Product
from visibility.models import InboundMessage

MODULES = (
    cases_erp,
    cases_shop,
    cases_tracking,
    cases_x12_acknowledgments,
    cases_x12_orders,
    cases_x12_shipments,
    cases_corrections,
)
CASES = [value for m in MODULES for value in vars(m).values() if isinstance(value, UseCase)]
SECRET, PASSWORD = "a-secret-of-at-least-24-bytes", "correct horse battery"
EDI = ("depositor_order=sales_order@erp", "seller_order=sales_order@erp", "zone=America/Chicago")
SOURCES: Mapping[str, tuple[str, ...]] = {
    "shop": ("shopify", "customer_attribute=erp_customer"),
    "erp": ("business_central", "web_orders=shop"),
    "wms": ("shiphero", "order_number=web_order@shop"),
    "edi": ("x12", f"own={SELLER}", f"customer.{BUYER}=K550", *EDI),
    "suppliers": ("x12", *EDI),
    "carrier": ("easypost",),
    "warehouse": ("cloudevents",),
}


def signature(connector: str, body: bytes) -> dict[str, str]:
    """The headers by which a vendor signs, or identifies itself."""
    mac = hmac.new(SECRET.encode(), body, hashlib.sha256)
    in_base64 = base64.b64encode(mac.digest()).decode()
    headers = {
        "shopify": ("x-shopify-hmac-sha256", in_base64),
        "shiphero": ("x-shiphero-hmac-sha256", in_base64),
        "easypost": ("x-hmac-signature", f"hmac-sha256-hex={mac.hexdigest()}"),
        "x12": ("x-throughline-signature", f"sha256={mac.hexdigest()}"),
        "business_central": ("authorization", f"Bearer {SECRET}"),
        "cloudevents": ("authorization", f"Bearer {SECRET}"),
    }
    return dict([headers[connector]])


class CaseRun:
    """A running product with a signed-in user, and the ids of the messages of each case."""

    def __init__(self, product: Product) -> None:
        self.product = product
        self.client = httpx2.Client(base_url=product.url, timeout=60)
        self.message_ids: dict[str, dict[int, str]] = {case.name: {} for case in CASES}

    def page(self, address: str) -> str:
        """The text of a page, after redirects."""
        answer = self.client.get(address, follow_redirects=True)
        assert answer.status_code == 200, answer.text
        return re.sub(r"\s+", " ", answer.text)

    def submit(self, form_page: str, address: str, **values: str) -> None:
        """Submit the form of a page with its hidden fields."""
        hidden = re.findall(
            r'<input type="hidden" name="(\w+)" value="([^"]*)"', self.page(form_page)
        )
        answer = self.client.post(address, data=dict(hidden) | values)
        assert answer.status_code == 302, answer.text

    def api(self, path: str) -> Any:
        """A response of the API."""
        answer = self.client.get(f"/api/v1/{path}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    def all_items(self, path: str, **parameters: str) -> list[Any]:
        """All items of a list of the API."""
        items: list[Any] = []
        query = {"page_size": "200", **parameters}
        while query.get("cursor") != "":
            page = self.api(f"{path}?{urlencode(query)}")
            items += page["items"]
            query["cursor"] = page["next"] or ""
        return items

    def post(self, case: UseCase, index: int) -> None:
        """Send one message of a case, signed as its vendor signs."""
        message: CaseMessage = case.messages[index]
        headers = {
            "content-type": "application/json",
            **signature(SOURCES[message.source][0], message.body),
            **message.headers,
        }
        answer = self.client.post(f"/hooks/{message.source}", content=message.body, headers=headers)
        assert answer.status_code in {200, 202}, (case.name, answer.text)
        # The responses to some vendors have no message id.
        self.message_ids[case.name][index] = str(InboundMessage.objects.latest("pk").pk)

    def send_all_cases(self) -> None:
        """Send all messages; the first one of each case is applied before the others arrive.

        Every second case arrives in reverse order.
        """
        orders = [
            list(range(len(case.messages)))[:: -1 if n % 2 else 1] for n, case in enumerate(CASES)
        ]
        for case, order in zip(CASES, orders, strict=True):
            self.post(case, order[0])
        self.wait_until_idle()
        for indexes in zip_longest(*(order[1:] for order in orders)):
            for case, index in zip(CASES, indexes, strict=True):
                if index is not None:
                    self.post(case, index)
        self.wait_until_idle()

    def _is_idle(self) -> bool:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT (SELECT count(*) FROM visibility_inbound_message WHERE state = 'waiting')"
                " + (SELECT count(*) FROM visibility_refoldrequest"
                " WHERE due_at <= clock_timestamp())"
            )
            return bool(cursor.fetchone()[0] == 0)

    def numbers_with_stuck_alert(self) -> set[str]:
        """The orders with an open alert of the rule `stuck`."""
        alerts = self.all_items("alerts", state="open", rule="stuck")
        return {alert["order"]["number"] for alert in alerts}

    def results(self) -> dict[str, dict[str, Any]]:
        """The outcomes of the messages of each case, and the expected values of its orders."""
        messages = {m["id"]: m for m in self.all_items("messages")}
        stuck = self.numbers_with_stuck_alert()
        orders = {o["number"]: o["id"] for o in self.all_items("orders")}
        return {
            case.name: {
                "outcomes": [
                    _outcome(messages[pk]) for _, pk in sorted(self.message_ids[case.name].items())
                ],
                "orders": {
                    number: self._summary(orders[number], stuck, wanted)
                    for number, wanted in case.orders.items()
                    if number in orders
                },
            }
            for case in CASES
        }

    def _summary(self, pk: int, stuck: set[str], wanted: Iterable[str]) -> dict[str, Any]:
        """The wanted values of an order. Lines: state and quantities by item; times: UTC."""
        order = self.api(f"orders/{pk}")
        lines = order["lines"]["items"]
        times = {n: _minute_or_date(text) for n, text in order.items() if n.endswith("_at")}
        summary = order | times
        summary |= {
            # The rest of the answer depends on today.
            "answer": order["status_answer"].split(". ")[0].rstrip("."),
            "lines": {line["sku"]: _line_summary(line) for line in lines},
            "lines_shipped": f"{order['lines_shipped']} of {order['line_count']}",
            "flags": {line["sku"]: line["flags"] for line in lines if line["flags"]},
            "total": (order["total"] or {}).get("amount"),
            "sources": sorted({claim["source"] for claim in order["claims"]}),
            "shipments": sum(s["status"] != "void" for s in order["shipments"]),
            "packages": len({i["value"] for i in order["identifiers"] if i["kind"] == "package"}),
            "promises": {
                p["line"]: _minute_or_date(p["date"]) for p in order["promises"] if p["line"]
            },
            "has_stuck_alert": order["number"] in stuck,
        }
        if {"credits", "event_flags"} & set(wanted):
            entries = self.api(f"orders/{pk}/timeline")["entries"]["items"]
            summary["event_flags"] = [flag for e in entries for flag in e["flags"]]
            summary["credits"] = [
                f"{e['attributes'].get('total')} {e['attributes'].get('currency')}"
                for e in entries
                if e["type"] == "credit.issued"
            ]
        return {name: summary[name] for name in wanted}

    def wait_until_idle(self) -> None:
        """Wait until no message and no due order waits."""
        assert _becomes_true(self._is_idle), self.product.log("worker")

    def wait_for_stuck_alerts(self) -> None:
        """Wait for the expected alerts. The results name those that do not appear."""
        expected = {
            number
            for case in CASES
            for number, wanted in case.orders.items()
            if wanted.get("has_stuck_alert")
        }
        _becomes_true(lambda: self.numbers_with_stuck_alert() >= expected)


def _outcome(message: Mapping[str, Any]) -> str:
    """The state of a message, its reason and its detail."""
    result = f"{message['state']} {message['reason']}".strip()
    return f"{result}: {message['detail']}" if message["detail"] else result


def _line_summary(line: Mapping[str, Any]) -> str:
    """The state of a line and its quantities: `shipped: 9 ordered, 9 shipped`."""
    quantities = [f"{n} {measure}" for measure, n in line["quantities"].items() if n != "0"]
    return ": ".join([line["state"], ", ".join(quantities)]).removesuffix(": ")


def _minute_or_date(time: str | None) -> str:
    """A time without seconds, or the date if it is midnight."""
    return (time or "")[:16].removesuffix("T00:00")


def _becomes_true(is_done: Callable[[], bool]) -> bool:
    """Whether this is true within two minutes; a busy machine needs many seconds."""
    deadline = time.monotonic() + 120
    while not is_done():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True
