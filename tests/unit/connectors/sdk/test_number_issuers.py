"""The setting that says who issues the numbers that a system sends."""

import pytest

from connectors.sdk.events import IdentifierScheme
from connectors.sdk.number_issuers import parse_number_issuers


def test_pairs_are_separated_by_spaces_or_commas() -> None:
    expected = {IdentifierScheme.INVOICE: "erp", IdentifierScheme.SHIPMENT: "wms"}
    assert parse_number_issuers("invoice:erp shipment:wms") == expected
    assert parse_number_issuers(" invoice:erp,shipment:wms ") == expected
    assert parse_number_issuers("") == {}


@pytest.mark.parametrize("setting", ["invoice", "invoice:", "source_id:erp", "sku:erp", "x:erp"])
def test_other_text_and_other_schemes_are_refused(setting: str) -> None:
    with pytest.raises(ValueError, match="is not"):
        parse_number_issuers(setting)
