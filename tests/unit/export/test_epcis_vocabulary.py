"""The EPCIS terms of our event types, and the identifiers of exported objects."""

import pytest

from connectors.sdk.events import EventType
from tests.builders.exported_order import SSCC
from visibility.export.epcis_vocabulary import EPCIS_MAPPINGS
from visibility.export.uris import is_valid_sscc, private_urn


def test_every_event_type_has_an_epcis_mapping() -> None:
    assert set(EPCIS_MAPPINGS) == set(EventType)


@pytest.mark.parametrize(
    ("value", "right"),
    [(SSCC, True), ("340123450000000018", False), ("34012345000000001", False), ("x" * 18, False)],
)
def test_sscc_check_digit(value: str, right: bool) -> None:
    assert is_valid_sscc(value) is right


def test_private_urn_is_percent_encoded() -> None:
    assert private_urn("sku", "a:b/ü", issuer="x y") == "urn:throughline:sku:x%20y:a%3Ab%2F%C3%BC"
