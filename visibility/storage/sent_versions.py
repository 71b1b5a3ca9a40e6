"""The versions of messages that sources sent, and whether they are supported."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from connectors.catalog import connectors_by_slug
from connectors.sdk.sender_versions import VersionDeclaration, VersionStatus
from visibility.models.source_records import SentVersion
from visibility.models.sources_and_messages import Source

# Versions that were not sent for so long are not of interest to rules.
STORED_FOR = timedelta(days=400)


@dataclass(frozen=True, slots=True)
class VersionInUse:
    """A version that a source sent, its status on a day, and when the vendor ends it."""

    sent: SentVersion
    status: VersionStatus
    ends_on: date | None
    is_parked: bool


def load_versions_in_use(
    sources: Sequence[Source], now: datetime
) -> Mapping[int, list[VersionInUse]]:
    """The versions by source, the newest first. One statement."""
    connectors = {source.pk: source.connector for source in sources}
    rows = SentVersion.objects.filter(
        source__in=connectors, last_seen_at__gt=now - STORED_FOR
    ).order_by("source_id", "-last_seen_at", "pk")
    result: dict[int, list[VersionInUse]] = {}
    for row in rows:
        result.setdefault(row.source_id, []).append(
            _in_use(row, declared_versions(connectors[row.source_id]), now.date())
        )
    return result


def declared_versions(connector: str) -> Sequence[VersionDeclaration]:
    """What the connector declares about versions; nothing if this version lacks the connector."""
    known = connectors_by_slug().get(connector)
    return known.versions if known else ()


def _in_use(row: SentVersion, declared: Sequence[VersionDeclaration], today: date) -> VersionInUse:
    declaration = next((each for each in declared if each.name == row.name), None)
    if declaration is None:
        return VersionInUse(row, VersionStatus.UNDECLARED, None, False)
    return VersionInUse(
        row,
        declaration.status(row.version, today),
        declaration.ends_on(row.version),
        declaration.is_parked(row.version),
    )
