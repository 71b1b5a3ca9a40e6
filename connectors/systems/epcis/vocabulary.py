"""Terms of the Core Business Vocabulary (CBV 2.0): business steps and business transactions."""

from connectors.sdk.events import EventType, Measure, ObjectKind

STEP_TYPES = {
    "accepting": EventType.DELIVERED,
    "arriving": EventType.IN_TRANSIT,
    "departing": EventType.PICKED_UP,
    "packing": EventType.PACK_COMPLETED,
    "picking": EventType.PICK_COMPLETED,
    "receiving": EventType.DELIVERED,
    "reserving": EventType.LINE_ALLOCATED,
    "returning": EventType.SHIPMENT_RETURNED,
    "shipping": EventType.SHIPMENT_CONFIRMED,
    "transporting": EventType.IN_TRANSIT,
    "void_shipping": EventType.SHIPMENT_VOID,
}
# With the disposition `returned`, goods come back.
RETURNED = "returned"
RETURNED_TYPES = {
    "accepting": EventType.RETURN_RECEIVED,
    "receiving": EventType.RETURN_RECEIVED,
    "transporting": EventType.SHIPMENT_RETURNED,
}
MEASURES = {
    EventType.DELIVERED: Measure.DELIVERED,
    EventType.LINE_ALLOCATED: Measure.ALLOCATED,
    EventType.PACK_COMPLETED: Measure.PACKED,
    EventType.PICK_COMPLETED: Measure.PICKED,
    EventType.RETURN_RECEIVED: Measure.RETURNED,
    EventType.SHIPMENT_CONFIRMED: Measure.SHIPPED,
}
TRANSACTION_KINDS = {
    "po": ObjectKind.ORDER,
    "desadv": ObjectKind.SHIPMENT,
    "inv": ObjectKind.INVOICE,
    "rma": ObjectKind.RETURN,
}


def bare_term(text: str) -> str:
    """Return the term of `shipping`, `urn:epcglobal:cbv:bizstep:shipping`, `cbv:BizStep-shipping`
    or `https://ref.gs1.org/cbv/BizStep-shipping`; other URIs stay as they are.
    """
    if text.startswith("urn:epcglobal:cbv:"):
        return text.rpartition(":")[2]
    if text.startswith(("cbv:", "https://ref.gs1.org/cbv/", "http://ref.gs1.org/cbv/")):
        return text.rpartition("-")[2]
    return text


def transaction_number(uri: str) -> tuple[str, str]:
    """Return (GLN of the issuer or "", number) of a business transaction identifier.

    `urn:epcglobal:cbv:bt:4012345000009:4711` has both. Of a URL the last segment is the number, of
    a GDTI (`urn:epc:id:gdti:...`) its serial.
    """
    if uri.startswith("urn:epcglobal:cbv:bt:"):
        gln, _, number = uri.removeprefix("urn:epcglobal:cbv:bt:").partition(":")
        return gln, number
    if uri.startswith("urn:epc:id:gdti:"):
        return "", uri.rpartition(".")[2]
    if uri.startswith(("http://", "https://")):
        return "", uri.rstrip("/").rpartition("/")[2]
    return "", uri.rpartition(":")[2] if uri.startswith("urn:") else uri
