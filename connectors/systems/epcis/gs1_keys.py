"""GS1 keys in EPC URIs and GS1 Digital Links: SSCC, GTIN with serial or lot, and GLN.

Sources: GS1 EPC Tag Data Standard (pure identity URIs), GS1 Digital Link URI Syntax, CBV 2.0.
"""

import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from connectors.sdk.check_digits import gs1_check_digit

SSCC_URN = re.compile(r"urn:epc:id:sscc:(\d{6,12})\.(\d)(\d+)")
# sgtin (one piece), lgtin (a lot) and patterns of them (a class).
GTIN_URN = re.compile(
    r"urn:epc:(?:id|idpat|class):(?P<kind>sgtin|lgtin):(?P<prefix>\d{6,12})\.(?P<indicator>\d)"
    r"(?P<item>\d*)\.(?P<detail>.+)"
)
GLN_URN = re.compile(r"urn:epc:id:sgln:(\d{6,12})\.(\d*)\.(.+)")
SSCC_LINK = re.compile(r"/00/(\d{18})(?:/|$)")
GTIN_LINK = re.compile(
    r"/01/(?P<gtin>\d{8,14})(?:/22/[^/]+)?(?:/10/[^/]+)?(?:/21/(?P<serial>[^/]+))?/?$"
)
GLN_LINK = re.compile(r"/414/(\d{13})(?:/|$)")
GTIN_DIGITS, GLN_DIGITS, SSCC_DIGITS = 14, 13, 18


@dataclass(frozen=True, slots=True)
class Gtin:
    """An item, with the serial number of one piece or ""."""

    number: str
    serial: str = ""


def sscc_of(uri: str) -> str:
    """Return the 18 digits of an SSCC, or "" if the URI is another key."""
    match = SSCC_URN.fullmatch(uri)
    if match:
        digits = f"{match[2]}{match[1]}{match[3]}"
        return digits + gs1_check_digit(digits) if len(digits) == SSCC_DIGITS - 1 else ""
    link = SSCC_LINK.search(_path_of_link(uri))
    return link[1] if link else ""


def gtin_of(uri: str) -> Gtin | None:
    """Return the GTIN (14 digits) of a piece, a lot or a class, or None for another key."""
    match = GTIN_URN.fullmatch(uri)
    if match:
        digits = f"{match['indicator']}{match['prefix']}{match['item']}"
        if len(digits) != GTIN_DIGITS - 1:
            return None
        is_piece = match["kind"] == "sgtin" and match["detail"] != "*"
        serial = unquote(match["detail"]) if is_piece else ""
        return Gtin(digits + gs1_check_digit(digits), serial)
    link = GTIN_LINK.search(_path_of_link(uri))
    return Gtin(link["gtin"].zfill(GTIN_DIGITS), unquote(link["serial"] or "")) if link else None


def gln_text(uri: str) -> str:
    """Return the GLN of a location, with its extension after a dot, else the URI itself."""
    match = GLN_URN.fullmatch(uri)
    if match:
        digits = f"{match[1]}{match[2]}"
        if len(digits) == GLN_DIGITS - 1:
            extension = "" if match[3] == "0" else f".{match[3]}"
            return f"{digits}{gs1_check_digit(digits)}{extension}"
    link = GLN_LINK.search(_path_of_link(uri))
    return link[1] if link else uri


def _path_of_link(uri: str) -> str:
    try:
        address = urlsplit(uri)
    except ValueError:
        return ""
    return address.path if address.scheme in {"http", "https"} else ""
