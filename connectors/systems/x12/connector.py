"""X12 documents: purchase orders, warehouse orders, ship notices, invoices, in any envelope."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import ClassVar

from connectors.sdk import auth, x12
from connectors.sdk.connector import Connector, Message, Parsed, Request, Role
from connectors.sdk.events import CanonicalEvent
from connectors.sdk.payload import PayloadError, Reason
from connectors.systems.x12.acknowledgments import acknowledged
from connectors.systems.x12.document import Document
from connectors.systems.x12.invoices import invoice
from connectors.systems.x12.orders import acknowledgement, change, purchase_order
from connectors.systems.x12.partner_settings import Profile
from connectors.systems.x12.ship_notices import ship_notice
from connectors.systems.x12.warehouse import shipping_advice, shipping_order

SIGNATURE = "x-throughline-signature"


class X12(Connector):
    """EDI over files or HTTP. X12 itself signs nothing: over HTTP the sender uses our own scheme,
    `X-Throughline-Signature: sha256=<hex HMAC-SHA256 of the body>` or `Authorization: Bearer`."""

    slug = "x12"
    title = "EDI X12"
    role = Role.EDI
    files = True
    settings: ClassVar[Mapping[str, str]] = {
        "own": "Our own interchange ids (ISA06/ISA08), comma separated; tells who the partner is.",
        "customer.<ISA id>": "The ERP's customer number of the partner with this interchange id.",
        "partner": "The partner's id for files that begin at ST, without ISA and GS.",
        "zone": "The IANA time zone of the dates and times (default UTC).",
        "sku_qualifiers": "Which item number counts, best first (VN,VP,BP,CB,SK,UP,UA,EN,UK,IN).",
        "depositor_order": "Whose number W0502 and W0602 are, such as sales_order@erp.",
        "seller_order": "Whose number BAK08 and REF*VN are, such as sales_order@erp.",
        "invoice_number": "Whose number the invoices we send carry, such as invoice@erp.",
        "charset": "The character set of the files (default utf-8).",
        "test_traffic": "yes: read interchanges marked as test (ISA15 = T) as well.",
    }
    kept_headers: ClassVar[frozenset[str]] = frozenset({SIGNATURE, "content-type"})

    sets: ClassVar[Mapping[str, Callable[[Document], list[CanonicalEvent]]]] = {
        "810": invoice,
        "850": purchase_order,
        "855": acknowledgement,
        "856": ship_notice,
        "860": change,
        "940": shipping_order,
        "945": shipping_advice,
    }
    # What a parked document is, for whoever finds it.
    unread: ClassVar[Mapping[str, str]] = {
        "180": "return authorisation",
        "204": "load tender",
        "210": "freight invoice",
        "214": "carrier's shipment status",
        "812": "credit or debit adjustment",
        "820": "remittance advice",
        "846": "inventory advice",
        "865": "answer to an order change",
        "943": "stock transfer to a warehouse",
        "944": "receipt of a stock transfer",
    }

    def verify(self, request: Request, secrets: Sequence[bytes], now: datetime) -> None:
        """Our own signature, or a bearer token."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        given = request.headers.get(SIGNATURE, "")
        if given:
            if not given.startswith("sha256="):
                raise auth.Unauthentic("the signature does not begin with sha256=")
            auth.check_hex(given.removeprefix("sha256="), secrets, request.body)
        elif scheme.lower() == "bearer" and token.strip():
            auth.check_token(token.strip(), secrets)
        else:
            raise auth.Unauthentic("no signature and no token")

    def sign(self, body: bytes, secret: bytes, now: datetime) -> Mapping[str, str]:
        """The signature header of our own scheme."""
        return {SIGNATURE: f"sha256={auth.hmac_sha256(secret, body).hex()}"}

    def dedupe_key(self, request: Request) -> str:
        """Sender, receiver and control number of a file's one interchange (ISA06, ISA08, ISA13)."""
        try:
            text = x12.decode(request.body, self.config.get("charset") or "utf-8")
            header = x12.header(text)
        except PayloadError:
            return ""
        if header is None or len(re.findall(rf"(?<![\w*])ISA{re.escape(text[3])}", text)) > 1:
            return ""
        return f"{header[6]}/{header[8]}/{header[13]}"

    def parse(self, message: Message) -> Parsed:
        """Every set of every interchange on its own: one bad document leaves the others whole."""
        profile = Profile.of(self.config, self.source)
        interchanges = x12.read(x12.decode(message.body, self.config.get("charset") or "utf-8"))
        live = [i for i in interchanges if not i.test or self.config.get("test_traffic") == "yes"]
        events: list[CanonicalEvent] = []
        problems: list[PayloadError] = []
        silent: list[str] = []
        if len(live) < len(interchanges):
            silent.append("test interchange (ISA15 = T); set test_traffic=yes to read it")
        for interchange in live:
            problems += interchange.problems
            for found in interchange.sets:
                try:
                    events += self._set(Document(found, profile), silent)
                except PayloadError as error:
                    problems.append(_placed(error, found.path))
        if not events and len(problems) == 1 and not silent:
            raise problems[0]
        ignored = "" if events or problems else "; ".join(dict.fromkeys(silent))
        return Parsed(tuple(events), tuple(problems), ignored)

    def _set(self, document: Document, silent: list[str]) -> list[CanonicalEvent]:
        code = document.set.code
        if code in {"997", "999"}:
            silent.append(acknowledged(document))
            return []
        if code not in self.sets:
            what = f" ({self.unread[code]})" if code in self.unread else ""
            raise PayloadError(
                Reason.MAPPING, document.set.path, f"set {code[:20]}{what} is not read yet"
            )
        return self.sets[code](document)


def _placed(error: PayloadError, path: str) -> PayloadError:
    """The error with the set it is in."""
    if path in error.path:
        return error
    return PayloadError(error.reason, f"{path} {error.path}".strip(), error.detail)
