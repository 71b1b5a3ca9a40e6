"""Every number of an order and of what belongs to it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from connectors.sdk.event_term_descriptions import OBJECT_KINDS
from connectors.sdk.events import SHARED_KINDS, IdentifierScheme, ObjectKind
from visibility.models import Identifier
from visibility.screens.orders.carrier_tracking_pages import public_tracking_page
from visibility.screens.orders.number_and_customer_search import SCHEME_LABELS
from visibility.screens.orders.record_links import RecordLink, RecordLinks
from visibility.screens.orders.source_reports import SourceReport
from visibility.timeline import Timeline

# The order in which people look for them; other schemes follow.
SCHEME_ORDER = (
    IdentifierScheme.CUSTOMER_PO,
    IdentifierScheme.SALES_ORDER,
    IdentifierScheme.WEB_ORDER,
    IdentifierScheme.ORDER_NUMBER,
    IdentifierScheme.DELIVERY,
    IdentifierScheme.SHIPMENT,
    IdentifierScheme.BOL,
    IdentifierScheme.PRO,
    IdentifierScheme.TRACKING,
    IdentifierScheme.SSCC,
    IdentifierScheme.INVOICE,
    IdentifierScheme.CREDIT_MEMO,
    IdentifierScheme.RMA,
)
HIDDEN_KINDS = SHARED_KINDS | {ObjectKind.ORDER_LINE, ObjectKind.SERIALIZED_ITEM}
HIDDEN_SCHEMES = frozenset(
    {IdentifierScheme.SOURCE_ID, IdentifierScheme.SKU, IdentifierScheme.CUSTOMER}
)
MAX_IDENTIFIERS = 1_000
# Issuers that are not the slug of a source but a role from the setting of its number ranges.
ISSUER_LABELS = {"3pl": "3PL", "edi": "EDI", "erp": "ERP", "oms": "OMS", "wms": "WMS"}


@dataclass(frozen=True, slots=True)
class OrderNumber:
    """One number. `systems`: who reported it; `url`: the carrier's page of a tracking number.

    `links`: its records in the systems that issued it.
    """

    label: str
    value: str
    systems: str
    url: str = ""
    links: tuple[RecordLink, ...] = ()


def order_identifiers(order_id: int) -> Sequence[Identifier]:
    """The identifiers of the order without the internal IDs of systems, at most 1,000."""
    rows = Identifier.objects.filter(object_id=order_id).exclude(scheme="source_id")
    return list(rows.order_by("scheme", "issuer", "value")[:MAX_IDENTIFIERS])


def order_numbers(
    timeline: Timeline,
    identifiers: Iterable[Identifier],
    reports: Mapping[str, SourceReport],
    links: RecordLinks,
) -> tuple[OrderNumber, ...]:
    """Every number that the systems report about the order and what belongs to it, each once."""
    numbers_by_key: dict[tuple[str, str], OrderNumber] = {}
    systems: dict[tuple[str, str], dict[str, None]] = {}
    carriers = {p.tracking: s.carrier for s in timeline.shipments for p in s.packages if p.tracking}
    for entry in timeline.entries:
        title = _title(entry.recorded.source, reports)
        for reference in entry.recorded.event.objects:
            if reference.kind in HIDDEN_KINDS or (
                reference.kind is ObjectKind.ORDER
                and reference.identifiers != entry.recorded.identifiers_of_this_order
            ):
                continue
            for identifier in reference.identifiers:
                key = (identifier.scheme.value, identifier.value)
                if identifier.scheme not in HIDDEN_SCHEMES and not entry.superseded:
                    numbers_by_key.setdefault(key, OrderNumber(_label(*key), identifier.value, ""))
                    systems.setdefault(key, {})[title] = None
    known = {(scheme, value.casefold()) for scheme, value in numbers_by_key}
    for row in identifiers:
        if (row.scheme, row.raw.casefold()) not in known:
            key = (row.scheme, row.raw)
            numbers_by_key.setdefault(key, OrderNumber(_label(*key), row.raw, ""))
            systems.setdefault(key, {})[_issuer_title(row, reports)] = None
    ranks = {scheme.value: rank for rank, scheme in enumerate(SCHEME_ORDER)}
    keys = sorted(numbers_by_key, key=lambda key: ranks.get(key[0], len(ranks)))
    numbers = [
        replace(
            numbers_by_key[key],
            systems=", ".join(filter(None, systems[key])),
            url=public_tracking_page(carriers.get(key[1], ""), key[1])
            if key[0] == IdentifierScheme.TRACKING
            else "",
            links=links.of_number(*key),
        )
        for key in keys
    ]
    links_of_shared = links.by_number(SHARED_KINDS)
    shared = [
        OrderNumber(
            OBJECT_KINDS[r.kind].label.capitalize(),
            r.number,
            "",
            links=links_of_shared.get(r.number, ()),
        )
        for r in timeline.related
    ]
    return (*numbers, *shared)


def _label(scheme: str, _value: str) -> str:
    label = SCHEME_LABELS.get(scheme, scheme.replace("_", " "))
    return label[:1].upper() + label[1:]


def _title(slug: str, reports: Mapping[str, SourceReport]) -> str:
    return reports[slug].title if slug in reports else ISSUER_LABELS.get(slug, slug)


def _issuer_title(identifier: Identifier, reports: Mapping[str, SourceReport]) -> str:
    """The system that issued a number; empty for customer POs, whose issuer is the customer."""
    if identifier.scheme == IdentifierScheme.CUSTOMER_PO:
        return ""
    return _title(identifier.issuer.rstrip("?"), reports)
