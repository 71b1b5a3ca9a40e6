"""The EPCIS terms of our event types, and the identifiers of exported objects."""

import pytest

from connectors.sdk.events import EventIdentifier, EventType, IdentifierScheme, ObjectKind
from visibility.export.epcis_vocabulary import EPCIS_MAPPINGS
from visibility.export.snapshot_reader import ExportedObject
from visibility.export.uris import object_uri, private_urn

SSCC = EventIdentifier(IdentifierScheme.SSCC, "340123450000000017")
TRACKING = EventIdentifier(IdentifierScheme.TRACKING, "1ZA1")
SOURCE_ID = EventIdentifier(IdentifierScheme.SOURCE_ID, "77", "shop")


def test_every_event_type_has_an_epcis_mapping() -> None:
    assert set(EPCIS_MAPPINGS) == set(EventType)


def test_private_urn_is_percent_encoded() -> None:
    assert private_urn("sku", "a:b/ü", issuer="x y") == "urn:throughline:sku:x%20y:a%3Ab%2F%C3%BC"


@pytest.mark.parametrize(
    ("identifiers", "uri"),
    [
        ((SOURCE_ID, TRACKING), "urn:throughline:tracking::1ZA1"),
        ((SOURCE_ID, TRACKING, SSCC), "https://id.gs1.org/00/340123450000000017"),
        ((SOURCE_ID, SSCC), "https://id.gs1.org/00/340123450000000017"),
        ((SOURCE_ID,), "urn:throughline:source_id:shop:77"),
    ],
)
def test_package_has_a_gs1_uri_if_possible(
    identifiers: tuple[EventIdentifier, ...], uri: str
) -> None:
    assert object_uri(ExportedObject("package", ObjectKind.PACKAGE, identifiers)) == uri
