"""The EPCIS terms of our event types, and the identifiers of exported objects."""

import pytest

from connectors.sdk.events import (
    SHARED_KINDS,
    EventIdentifier,
    EventType,
    IdentifierScheme,
    ObjectKind,
)
from connectors.systems.ocel.connector import SCHEMES as OCEL_SCHEMES
from connectors.systems.ocel.object_and_activity_names import (
    event_type_of_activity as find_event_type,
)
from connectors.systems.ocel.object_and_activity_names import object_kind_of_type_name
from visibility.export.epcis_vocabulary import EPCIS_MAPPINGS
from visibility.export.ocel_attributes import ATTRIBUTE_SOURCES
from visibility.export.read_snapshot_in_chunks import ExportedObject
from visibility.export.uris import object_uri, private_urn
from visibility.identity.parent_child_object_relations import PARENT_KINDS
from visibility.storage.load_events import SCHEME_PREFERENCE

SSCC = EventIdentifier(IdentifierScheme.SSCC, "340123450000000017")
TRACKING = EventIdentifier(IdentifierScheme.TRACKING, "1ZA1")
SOURCE_ID = EventIdentifier(IdentifierScheme.SOURCE_ID, "77", "shop")


def test_every_event_type_has_an_epcis_mapping() -> None:
    assert set(EPCIS_MAPPINGS) == set(EventType)


def test_every_object_kind_has_ocel_attributes() -> None:
    assert set(ATTRIBUTE_SOURCES) == set(ObjectKind)


def test_every_object_kind_is_shared_or_belongs_to_orders() -> None:
    owned = {kind for kind, parents in PARENT_KINDS.items() if ObjectKind.ORDER in parents}
    assert {ObjectKind.ORDER} | owned | SHARED_KINDS == set(ObjectKind)
    assert not owned & SHARED_KINDS


def test_every_scheme_has_a_preference() -> None:
    unranked = {IdentifierScheme.CUSTOMER, IdentifierScheme.SKU, IdentifierScheme.REFERENCE}
    assert set(SCHEME_PREFERENCE) == set(IdentifierScheme) - unranked


def test_our_own_names_are_recognized_in_ocel_logs() -> None:
    # An item of a published log is a piece of an order: an order line.
    assert object_kind_of_type_name("item", {}) is ObjectKind.ORDER_LINE
    for kind in set(ObjectKind) - {ObjectKind.ITEM}:
        assert object_kind_of_type_name(kind.value, {}) is kind
    sent = [event_type for event_type in EventType if event_type is not EventType.UNMAPPED]
    assert [find_event_type(event_type.value, {}) for event_type in sent] == sent
    assert set(OCEL_SCHEMES) == set(ObjectKind) - {ObjectKind.ITEM, ObjectKind.CUSTOMER}


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
