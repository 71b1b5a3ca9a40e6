"""What a WooCommerce shop, Odoo, a 3PL and FedEx send about one order."""

import base64
import hashlib
import hmac
import os
import time
from datetime import datetime
from pathlib import Path

import orjson

TRACKING = "449044304137821"
HEAD = "ORDER;SHIPMENT;PO;CUST;BOL;LINE;ITEM;QTY;UOM;STATUS;SHIPPED;SCAC;TRACKING;SSCC\n"


def woocommerce_order(at: datetime, *, number: str = "5011") -> bytes:
    """The body of the webhook order.updated, which the shop signs."""
    text = f"{at:%Y-%m-%dT%H:%M:%S}"
    lines = [
        {"id": 31, "name": "Bolt", "product_id": 7, "quantity": 4, "sku": "BOLT-M8", "price": 12.5}
    ]
    return orjson.dumps(
        {
            "id": int(number),
            "number": f"WS-{number}",
            "status": "processing",
            "currency": "USD",
            "total": "50.00",
            "date_created_gmt": text,
            "date_modified_gmt": text,
            "date_paid_gmt": text,
            "customer_id": 17,
            "billing": {"company": "Sample Hardware Co"},
            "line_items": lines,
        }
    )


def woocommerce_signature(body: bytes, secret: str) -> dict[str, str]:
    """The header by which the shop signs a webhook."""
    digest = hmac.new(secret.encode(), body, hashlib.sha256).digest()
    return {"x-wc-webhook-signature": base64.b64encode(digest).decode()}


def odoo_order(at: datetime, *, number: str = "S00042", web_order: str = "5011") -> bytes:
    """The body of the webhook on sale.order: the order is released."""
    order = {"_model": "sale.order", "id": int(number[1:]), "name": number}
    state = {"state": "sale", "delivery_status": "pending", "partner_id": 14}
    changed = {"client_order_ref": web_order, "write_date": f"{at:%Y-%m-%d %H:%M:%S}"}
    return orjson.dumps({**order, **state, **changed})


def drop_file(folder: Path, at: datetime) -> None:
    """The 3PL writes its ship confirmation of S00042, and another file, into its folder."""
    row = f"S00042;NL-771;PO-88;C14;B7001;10;BOLT-M8;4;ST;C;{at:%d.%m.%Y %H:%M};FDEG;{TRACKING};\n"
    path = folder / "SHIP_0001.csv"
    path.write_bytes((HEAD + row).encode("cp1252"))
    (folder / "other.csv").write_text("not for this connector\n")
    old = time.time() - 60
    os.utime(path, (old, old))


def scan(code: str, at: datetime, description: str) -> dict[str, object]:
    """A scan as FedEx reports it."""
    location = {"city": "DALLAS", "stateOrProvinceCode": "TX", "countryCode": "US"}
    event = {"eventType": code, "eventDescription": description, "scanLocation": location}
    return {**event, "date": at.isoformat(timespec="seconds")}
