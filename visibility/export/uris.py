"""URIs of identifiers: a GS1 Digital Link where possible, otherwise a private URN."""

from urllib.parse import quote
from uuid import NAMESPACE_URL, uuid5

from connectors.sdk.check_digits import is_valid_sscc
from connectors.sdk.events import EventIdentifier, IdentifierScheme
from visibility.export.read_snapshot_in_chunks import ExportedObject
from visibility.storage.load_events import scheme_rank


def identifier_uri(identifier: EventIdentifier) -> str:
    """A GS1 Digital Link for an SSCC with a valid check digit, else `urn:throughline:...`."""
    if identifier.scheme is IdentifierScheme.SSCC and is_valid_sscc(identifier.value):
        return f"https://id.gs1.org/00/{identifier.value}"
    return private_urn(identifier.scheme.value, identifier.value, issuer=identifier.issuer)


def private_urn(scheme: str, value: str, *, issuer: str = "") -> str:
    """`urn:throughline:<scheme>:<issuer>:<value>`, percent-encoded."""
    return f"urn:throughline:{scheme}:{quote(issuer, safe='')}:{quote(value, safe='')}"


def object_uri(obj: ExportedObject) -> str:
    """The URI of an object, from its preferred identity number."""
    identities = sorted(
        (n for n in obj.identifiers if n.strong), key=lambda n: scheme_rank(n.scheme)
    )
    preferred = identities[0]
    if preferred.scheme is IdentifierScheme.TRACKING:
        # Unlike a tracking number, an SSCC has a URI of GS1.
        preferred = next((n for n in identities if n.scheme is IdentifierScheme.SSCC), preferred)
    return identifier_uri(preferred)


def event_uri(source: str, key: str, content_hash: str, *, suffix: str = "") -> str:
    """A stable URI of an event; `suffix` separates EPCIS events of the same canonical event."""
    return f"urn:uuid:{uuid5(NAMESPACE_URL, f'throughline {source} {key} {content_hash} {suffix}')}"
