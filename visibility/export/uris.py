"""Our names as URIs: a GS1 key where the number is one, else a private name."""

from urllib.parse import quote
from uuid import NAMESPACE_URL, uuid5

from connectors.sdk.events import Identifier, Scheme
from visibility.export.reader import Known

# The shipment's own scheme first, then what its papers call it.
BEST = (
    Scheme.SALES_ORDER,
    Scheme.WEB_ORDER,
    Scheme.CUSTOMER_PO,
    Scheme.ORDER_NUMBER,
    Scheme.SSCC,
    Scheme.TRACKING,
    Scheme.DELIVERY,
    Scheme.SHIPMENT,
    Scheme.INVOICE,
    Scheme.CREDIT_MEMO,
    Scheme.RMA,
    Scheme.BOL,
    Scheme.PRO,
    Scheme.SOURCE_ID,
)


def uri(identifier: Identifier) -> str:
    """A GS1 Digital Link for an SSCC with a right check digit, else `urn:throughline:...`."""
    if identifier.scheme is Scheme.SSCC and is_sscc(identifier.value):
        return f"https://id.gs1.org/00/{identifier.value}"
    return private(identifier.scheme.value, identifier.value, issuer=identifier.issuer)


def private(scheme: str, value: str, *, issuer: str = "") -> str:
    """`urn:throughline:<scheme>:<issuer>:<value>`, with what a URI can't hold escaped."""
    return f"urn:throughline:{scheme}:{quote(issuer, safe='')}:{quote(value, safe='')}"


def uri_of(known: Known) -> str:
    """The one URI an object goes by: of its first strong number."""
    strong = [n for n in known.numbers if n.strong]
    return uri(min(strong, key=lambda n: BEST.index(n.scheme) if n.scheme in BEST else 99))


def event_uri(source: str, key: str, content_hash: str, *, part: str = "") -> str:
    """The same event always has the same URI; `part` tells two of one origin apart."""
    return f"urn:uuid:{uuid5(NAMESPACE_URL, f'throughline {source} {key} {content_hash} {part}')}"


def is_sscc(value: str) -> bool:
    """18 digits, the last of which checks the others."""
    if len(value) != 18 or not (value.isascii() and value.isdecimal()):
        return False
    total = sum(int(d) * (3 if place % 2 == 0 else 1) for place, d in enumerate(value[:17]))
    return (10 - total % 10) % 10 == int(value[17])
