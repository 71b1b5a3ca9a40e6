"""The setting that says who issues numbers that a system sends, of any kind of object."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TypeVar

from connectors.sdk.connector import Connector
from connectors.sdk.events import CanonicalEvent, EventIdentifier, IdentifierScheme
from connectors.sdk.payload import ParkReason, PayloadError
from connectors.sdk.telemetry import TelemetryRecord

ISSUER_SETTING = "number_issuers"
Reported = TypeVar("Reported", CanonicalEvent, TelemetryRecord)
# Numbers that systems issue to documents and shipments. A system's own ids stay its own, and
# customers and carriers issue the others.
ISSUED_SCHEMES = frozenset(
    {
        IdentifierScheme.SALES_ORDER,
        IdentifierScheme.WEB_ORDER,
        IdentifierScheme.ORDER_NUMBER,
        IdentifierScheme.SHIPMENT,
        IdentifierScheme.DELIVERY,
        IdentifierScheme.INVOICE,
        IdentifierScheme.CREDIT_MEMO,
        IdentifierScheme.RMA,
        IdentifierScheme.RETURN_DELIVERY,
        IdentifierScheme.QUOTATION,
        IdentifierScheme.CONTRACT,
        IdentifierScheme.GOODS_MOVEMENT,
        IdentifierScheme.LOAD,
        IdentifierScheme.BOL,
    }
)


def parse_number_issuers(setting: str) -> dict[IdentifierScheme, str]:
    """Parse `invoice:erp shipment:wms` into {scheme: issuer}. Raises ValueError."""
    issuers = {}
    for entry in setting.replace(",", " ").split():
        scheme, separator, issuer = entry.partition(":")
        if not separator or not issuer:
            raise ValueError(
                f"{entry[:40]!r} is not of the form scheme:source, for example invoice:erp."
            )
        if scheme not in {known.value for known in ISSUED_SCHEMES}:
            names = ", ".join(sorted(known.value for known in ISSUED_SCHEMES))
            raise ValueError(f"{scheme[:40]!r} is not one of {names}.")
        issuers[IdentifierScheme(scheme)] = issuer
    return issuers


def with_issuers_of_setting(events: Iterable[Reported], connector: Connector) -> Iterator[Reported]:
    """The events or the telemetry of a message, with the issuers that the settings name.

    Only numbers that would count as the source's own, or as nobody's, get another issuer. Raises
    PayloadError if the stored setting is invalid.
    """
    try:
        issuers = parse_number_issuers(str(connector.config.get(ISSUER_SETTING, "")))
    except ValueError as error:
        raise PayloadError(ParkReason.SOURCE, ISSUER_SETTING, str(error)) from None
    for event in events:
        yield _with_issuers(event, issuers, connector.source_slug) if issuers else event


def _with_issuers(
    event: Reported, issuers: Mapping[IdentifierScheme, str], source: str
) -> Reported:
    def reissued(identifier: EventIdentifier) -> EventIdentifier:
        issuer = issuers.get(identifier.scheme, "")
        if not issuer or identifier.issuer not in {"", source}:
            return identifier
        return replace(identifier, issuer=issuer, strong=True)

    objects = (
        replace(ref, identifiers=tuple(reissued(i) for i in ref.identifiers))
        for ref in event.objects
    )
    return replace(event, objects=tuple(objects))
