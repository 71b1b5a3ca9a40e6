"""The versions of our own schemas that senders of event data name."""

from connectors.sdk.payload import ParkReason, PayloadError
from connectors.sdk.published_schemas import published_versions, version_in_address
from connectors.sdk.sender_versions import VersionDeclaration

SUPPORTED = frozenset(published_versions())


def _shown(address: str) -> str:
    """`v1` for a schema of ours; any other address as it is."""
    version = version_in_address(address)
    return address if version is None else f"v{version}"


# Addresses of other schemas say nothing about event data, so they are supported.
SCHEMA_VERSION = VersionDeclaration(
    name="dataschema",
    header="ce-dataschema",
    pattern=r'"dataschema"\s*:\s*"(?P<address>[^"\\]{1,500})"',
    supported=(*(f"v{number}" for number in sorted(SUPPORTED)), r"(?!v\d+$).*"),
    shown=_shown,
)


def check_schema_version(address: str, path: str) -> None:
    """Check the address of a schema that an event names.

    Addresses that are not those of our schemas say nothing. Raises PayloadError for a version that
    is not published here: its members may mean something else.
    """
    version = version_in_address(address)
    if version is not None and version not in SUPPORTED:
        known = ", ".join(str(number) for number in sorted(SUPPORTED))
        raise PayloadError(
            ParkReason.VERSION,
            path,
            f"version {version} of the schemas is not supported; supported: {known}",
        )
