"""Packages under way, for pollers that ask a carrier about each of them."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from connectors.sdk.webhook_and_poll_types import OpenPackage
from visibility.db import bulk

# A package without any event for this long is no longer asked for.
MAX_IDLE = timedelta(days=45)
MAX_PACKAGES = 20_000
FINAL_TYPES = ["shipment.delivered", "shipment.returned", "shipment.void"]
OPEN_PACKAGES = """
SELECT identifier.raw, coalesce(state.carrier, '')
FROM visibility_identifier identifier
JOIN visibility_businessobject package ON package.id = identifier.object_id
CROSS JOIN LATERAL (
    SELECT bool_or(event.type = ANY(%(final)s)) AS is_final,
        max(event.occurred_at) AS last_at,
        (array_agg(event.data->'attributes'->>'carrier' ORDER BY event.occurred_at DESC)
            FILTER (WHERE event.data->'attributes' ? 'carrier'))[1] AS carrier
    FROM visibility_eventobjectlink link
    JOIN visibility_event event ON event.id = link.event_id
        AND event.occurred_at = link.occurred_at AND NOT event.superseded
    WHERE link.object_id = package.id
) state
WHERE identifier.scheme = 'tracking' AND NOT identifier.rejected
    AND package.kind = 'package' AND package.merged_into_id IS NULL
    AND package.created_at > %(since)s
    AND NOT coalesce(state.is_final, false) AND state.last_at > %(since)s
    AND (cardinality(%(carriers)s::text[]) = 0 OR coalesce(state.carrier, '') = '' OR EXISTS (
        SELECT 1 FROM unnest(%(carriers)s::text[]) name
        WHERE strpos(lower(state.carrier), name) > 0))
ORDER BY identifier.raw COLLATE "C" <= %(after)s, identifier.raw COLLATE "C"
LIMIT %(limit)s
"""


def load_open_packages(
    now: datetime, *, carriers: Sequence[str] = (), after: str = ""
) -> list[OpenPackage]:
    """Return the packages with a tracking number that are neither delivered nor returned.

    With `carriers` (lower case), only those whose carrier contains one of the texts or is unknown.
    At most MAX_PACKAGES in the order of their numbers, from the first number later than `after`
    and then from the beginning, so that repeated calls reach every package.
    """
    with bulk.server_bound_cursor() as cursor:
        cursor.execute(
            OPEN_PACKAGES,
            {
                "final": FINAL_TYPES,
                "since": now - MAX_IDLE,
                "limit": MAX_PACKAGES,
                "carriers": list(carriers),
                "after": after,
            },
        )
        return [OpenPackage(number, carrier) for number, carrier in cursor.fetchall()]
