"""Builders of hostile cases. Header names are written with underscores instead of dashes."""

from connectors.sdk.events import Flag
from connectors.sdk.payload import ParkReason
from tests.processes.hostile.harness import HostileCase


def parked(
    name: str, body: bytes, reason: ParkReason, *, source: str = "json", **headers: str | None
) -> HostileCase:
    """A message that is accepted and parked."""
    return HostileCase(name, body, reason, source=source, headers=_with_dashes(headers))


def applied(
    name: str, body: bytes, *flags: Flag, source: str = "json", **headers: str | None
) -> HostileCase:
    """A message that is accepted and applied, with these flags on its events."""
    return HostileCase(
        name, body, flags=frozenset(flags), source=source, headers=_with_dashes(headers)
    )


def rejected(
    name: str, status: int, body: bytes, *, source: str = "json", **headers: str | None
) -> HostileCase:
    """A message that is rejected with this status."""
    return HostileCase(name, body, source=source, status=status, headers=_with_dashes(headers))


def _with_dashes(headers: dict[str, str | None]) -> dict[str, str | None]:
    return {name.replace("_", "-"): text for name, text in headers.items()}
