"""Builders of EPCIS 2.0 documents and events."""

from typing import Any


def epcis_event(
    step: str, kind: str = "ObjectEvent", *, po: str = "", at: str = "", **fields: Any
) -> dict[str, Any]:
    """One event of March 4, 2026 at 10:00 UTC; `po` is the number of its order."""
    transactions = fields.pop("transactions", {"po": po} if po else {})
    return {
        "type": kind,
        "action": "OBSERVE",
        "bizStep": step,
        "eventTime": at or "2026-03-04T10:00:00.000Z",
        "eventTimeZoneOffset": "+00:00",
        "bizTransactionList": [
            {"type": term, "bizTransaction": f"urn:epcglobal:cbv:bt:4012345000009:{number}"}
            for term, number in transactions.items()
        ],
        **fields,
    }


def epcis_document(*events: dict[str, Any]) -> dict[str, Any]:
    """A document of these events."""
    return {
        "@context": ["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"],
        "type": "EPCISDocument",
        "schemaVersion": "2.0",
        "creationDate": "2026-03-04T12:00:00.000Z",
        "epcisBody": {"eventList": list(events)},
    }
