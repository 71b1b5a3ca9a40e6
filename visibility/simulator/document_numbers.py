"""Numbers as the systems make them, each a pure function of what it numbers."""

import hashlib
import uuid


def token(*parts: object) -> str:
    """32 hexadecimal digits, the same for the same parts."""
    text = ":".join(map(str, parts))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def guid(*parts: object) -> str:
    """The same as a GUID."""
    return str(uuid.UUID(hex=token(*parts)))


def weighed(digits: str) -> str:
    """The modulo 10 check digit of GS1 and the postal service (weights 3 and 1 from the right)."""
    total = sum(int(d) * (3 if place % 2 == 0 else 1) for place, d in enumerate(reversed(digits)))
    return str(-total % 10)


def sscc(serial: int) -> str:
    """A serial shipping container code."""
    digits = f"00850012{serial:09d}"
    return digits + weighed(digits)


def tracking(carrier: str, serial: int) -> str:
    """A parcel's number as UPS, FedEx or the postal service write it."""
    if carrier == "UPS":
        body = f"8X47R203{serial % 10**7:07d}"
        return f"1Z{body}{_ups(body)}"
    if carrier == "FedEx":
        body = f"79{serial % 10**9:09d}"
        weights = (3, 1, 7, 3, 1, 7, 3, 1, 7, 3, 1)
        total = sum(int(d) * w for d, w in zip(body, weights, strict=True))
        return f"{body}{total % 11 % 10}"
    body = f"9405511899{serial:011d}"
    return body + weighed(body)


def _ups(body: str) -> str:
    """UPS: letters count as (code - 63) mod 10, every second character twice."""
    values = [int(c) if c.isdigit() else (ord(c) - 63) % 10 for c in body]
    return str(-sum(v * (2 if place % 2 else 1) for place, v in enumerate(values)) % 10)


def sales_order(n: int) -> str:
    """The ERP's number of order `n`."""
    return f"SO-{100000 + n}"


def web_order(n: int) -> str:
    """The shop's name of it."""
    return f"#{1001000 + n}"


def invoice(n: int, shipment: int) -> str:
    """The ERP's number of the invoice for one of its shipments."""
    return f"INV-{500000 + n}" if shipment == 0 else f"INV-{500000 + n}-{shipment + 1}"
