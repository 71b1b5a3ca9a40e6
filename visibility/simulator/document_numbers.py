"""Document numbers of the simulated systems, each a pure function of what it identifies."""

import hashlib
import uuid

from connectors.sdk.check_digits import gs1_check_digit


def deterministic_hex_token(*values: object) -> str:
    """32 hexadecimal digits, the same for the same parts."""
    text = ":".join(map(str, values))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def deterministic_guid(*values: object) -> str:
    """The digits of `token()` as a GUID."""
    return str(uuid.UUID(hex=deterministic_hex_token(*values)))


def sscc(serial: int) -> str:
    """A serial shipping container code."""
    digits = f"00850012{serial:09d}"
    return digits + gs1_check_digit(digits)


def tracking_number(carrier: str, serial: int) -> str:
    """A tracking number in the format of UPS, FedEx or USPS, with a valid check digit."""
    if carrier == "UPS":
        body = f"8X47R203{serial % 10**7:07d}"
        return f"1Z{body}{_ups_check_digit(body)}"
    if carrier == "FedEx":
        body = f"79{serial % 10**9:09d}"
        weights = (3, 1, 7, 3, 1, 7, 3, 1, 7, 3, 1)
        total = sum(int(d) * w for d, w in zip(body, weights, strict=True))
        return f"{body}{total % 11 % 10}"
    body = f"9405511899{serial:011d}"
    return body + gs1_check_digit(body)


def _ups_check_digit(body: str) -> str:
    """The UPS check digit: letters count as (code - 63) mod 10, every second character twice."""
    values = [int(c) if c.isdigit() else (ord(c) - 63) % 10 for c in body]
    return str(-sum(v * (2 if index % 2 else 1) for index, v in enumerate(values)) % 10)


def sales_order_number(n: int) -> str:
    """The ERP's sales order number of order `n`."""
    return f"SO-{100000 + n}"


def web_order_number(n: int) -> str:
    """The shop's name of order `n`."""
    return f"#{1001000 + n}"


def invoice_number(n: int, shipment: int) -> str:
    """The ERP's number of the invoice for one shipment of order `n`."""
    return f"INV-{500000 + n}" if shipment == 0 else f"INV-{500000 + n}-{shipment + 1}"
