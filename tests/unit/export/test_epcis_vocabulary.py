"""The EPCIS terms of our event types, and the identifiers of exported objects."""

from connectors.sdk.events import EventType
from visibility.export.epcis_vocabulary import EPCIS_MAPPINGS
from visibility.export.uris import private_urn


def test_every_event_type_has_an_epcis_mapping() -> None:
    assert set(EPCIS_MAPPINGS) == set(EventType)


def test_private_urn_is_percent_encoded() -> None:
    assert private_urn("sku", "a:b/ü", issuer="x y") == "urn:throughline:sku:x%20y:a%3Ab%2F%C3%BC"
