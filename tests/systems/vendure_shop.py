"""A running shop of Vendure: people order through its Shop API, and ship through its Admin API."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx2

from tests.systems.installing import VENDURE_PROJECT, install_program, install_vendure

ADMIN_PASSWORD = "password-of-the-administrator"
START_SECONDS = 180
# What Vendure itself says about an order.
RECORDS = """query($id: ID!) { order(id: $id) {
  id code state orderPlacedAt updatedAt currencyCode totalWithTax
  lines { id quantity orderPlacedQuantity productVariant { sku name } }
  fulfillments { id state method trackingCode createdAt updatedAt
    lines { orderLineId quantity } }
  payments { id amount state refunds { id state total reason createdAt
    lines { orderLineId quantity } } }
  history(options: {take: 100}) { items { type createdAt data } }
} }"""
ERROR = "__typename ... on ErrorResult { errorCode message }"


class VendureShop:
    """Calls of both APIs. Raises AssertionError for each error that they answer."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._admin = self._client()
        self.call(
            self._admin, "admin",
            f"""mutation($password: String!) {{
              login(username: "admin", password: $password) {{ {ERROR} }} }}""",
            password=ADMIN_PASSWORD,
        )  # fmt: skip

    def _client(self) -> httpx2.Client:
        return httpx2.Client(base_url=self.url, timeout=60)

    def call(self, client: httpx2.Client, api: str, query: str, **variables: Any) -> Any:
        """Return the data of a query; of a mutation its only result."""
        response = client.post(f"/{api}-api", json={"query": query, "variables": variables})
        if token := response.headers.get("vendure-auth-token"):
            client.headers["authorization"] = f"Bearer {token}"
        document = response.json()
        assert "errors" not in document, document
        (result,) = document["data"].values()
        assert not (isinstance(result, dict) and "errorCode" in result), result
        return result

    def buy(self, quantities: Mapping[str, int], company: str) -> str:
        """Order these items as a guest, and pay; return the id of the order."""
        with self._client() as guest:

            def shop(query: str, **variables: Any) -> Any:
                return self.call(guest, "shop", query, **variables)

            products = shop("{ products { items { variants { id sku } } } }")
            variants = {v["sku"]: v["id"] for p in products["items"] for v in p["variants"]}
            for sku, quantity in quantities.items():
                shop(
                    f"""mutation($id: ID!, $quantity: Int!) {{
                      addItemToOrder(productVariantId: $id, quantity: $quantity) {{
                        {ERROR} }} }}""",
                    id=variants[sku],
                    quantity=quantity,
                )
            shop(
                f"""mutation($input: CreateCustomerInput!) {{
                  setCustomerForOrder(input: $input) {{ {ERROR} }} }}""",
                input={"firstName": "Eve", "lastName": "Marsh", "emailAddress": "eve@example.com"},
            )
            shop(
                f"""mutation($input: CreateAddressInput!) {{
                  setOrderShippingAddress(input: $input) {{ {ERROR} }} }}""",
                input={"streetLine1": "1 Main Street", "countryCode": "US", "company": company},
            )
            (method, *_) = shop("{ eligibleShippingMethods { id } }")
            shop(
                f"""mutation($id: [ID!]!) {{
                  setOrderShippingMethod(shippingMethodId: $id) {{ {ERROR} }} }}""",
                id=[method["id"]],
            )
            shop(f'mutation {{ transitionOrderToState(state: "ArrangingPayment") {{ {ERROR} }} }}')
            (payment, *_) = shop("{ eligiblePaymentMethods { code } }")
            order = shop(
                f"""mutation($input: PaymentInput!) {{ addPaymentToOrder(input: $input) {{
                  {ERROR} ... on Order {{ id state }} }} }}""",
                input={"method": payment["code"], "metadata": {}},
            )
            assert order["state"] == "PaymentSettled", order
            return str(order["id"])

    def admin(self, query: str, **variables: Any) -> Any:
        """Call the Admin API as the administrator."""
        return self.call(self._admin, "admin", query, **variables)

    def records(self, order_id: str) -> dict[str, Any]:
        """What Vendure says about an order."""
        return dict(self.admin(RECORDS, id=order_id))

    def order_lines(self, order_id: str, quantities: Mapping[str, int]) -> list[dict[str, Any]]:
        """The input for some units of an order."""
        ids = {row["productVariant"]["sku"]: row["id"] for row in self.records(order_id)["lines"]}
        return [{"orderLineId": ids[sku], "quantity": units} for sku, units in quantities.items()]

    def ship(self, order_id: str, quantities: Mapping[str, int], tracking_code: str) -> str:
        """Create a fulfillment and ship it; return its id."""
        arguments = [("method", "UPS"), ("trackingCode", tracking_code)]
        fulfillment = self.admin(
            f"""mutation($input: FulfillOrderInput!) {{ addFulfillmentToOrder(input: $input) {{
              {ERROR} ... on Fulfillment {{ id }} }} }}""",
            input={
                "lines": self.order_lines(order_id, quantities),
                "handler": {
                    "code": "manual-fulfillment",
                    "arguments": [{"name": name, "value": text} for name, text in arguments],
                },
            },
        )
        self.move_fulfillment(fulfillment["id"], "Shipped")
        return str(fulfillment["id"])

    def move_fulfillment(self, fulfillment_id: str, state: str) -> None:
        """Move a fulfillment to another state."""
        self.admin(
            f"""mutation($id: ID!, $state: String!) {{
              transitionFulfillmentToState(id: $id, state: $state) {{ {ERROR} }} }}""",
            id=fulfillment_id,
            state=state,
        )

    def cancel(self, order_id: str, quantities: Mapping[str, int]) -> None:
        """Cancel these units; none: the order."""
        lines = self.order_lines(order_id, quantities)
        self.admin(
            f"""mutation($input: CancelOrderInput!) {{
              cancelOrder(input: $input) {{ {ERROR} }} }}""",
            input={"orderId": order_id, "reason": "customer request", "cancelShipping": not lines}
            | ({"lines": lines} if lines else {}),
        )

    def refund(self, order_id: str, quantities: Mapping[str, int], amount: int) -> None:
        """Refund this amount for these units."""
        (payment,) = self.records(order_id)["payments"]
        refund = self.admin(
            f"""mutation($input: RefundOrderInput!) {{ refundOrder(input: $input) {{
              {ERROR} ... on Refund {{ id state }} }} }}""",
            input={
                "lines": self.order_lines(order_id, quantities),
                "amount": amount,
                "shipping": 0,  # has no default in the database
                "adjustment": 0,
                "paymentId": payment["id"],
                "reason": "damaged",
            },
        )
        if refund["state"] != "Settled":
            self.admin(
                f"""mutation($input: SettleRefundInput!) {{
                  settleRefund(input: $input) {{ {ERROR} }} }}""",
                input={"id": refund["id"], "transactionId": "T-1"},
            )


@contextmanager
def running_vendure(
    folder: Path, port: int, webhooks: Sequence[Mapping[str, str]]
) -> Iterator[VendureShop]:
    """Start Vendure with an empty database on this port; it sends these webhooks."""
    project = install_vendure()
    settings = {
        "port": port, "folder": str(folder), "admin_password": ADMIN_PASSWORD, "webhooks": webhooks
    }  # fmt: skip
    log = folder / "vendure.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [install_program("node"), str(VENDURE_PROJECT / "server.js")],
            cwd=project,
            env={**os.environ, "VENDURE_SHOP": json.dumps(settings)}
            | {"NODE_PATH": str(project / "node_modules")},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    try:
        until = time.monotonic() + START_SECONDS
        while b"\nready\n" not in log.read_bytes():
            assert process.poll() is None, log.read_text()[-4000:]
            assert time.monotonic() < until, log.read_text()[-4000:]
            time.sleep(0.2)
        yield VendureShop(f"http://127.0.0.1:{port}")
        # Webhooks that failed end the process.
        assert process.poll() is None, log.read_text()[-4000:]
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(20)
