"""References of events, and the uses of a number that they report."""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from connectors.sdk.events import EventType, IdentifierScheme
from visibility.identity.pure.keys_and_reuse_windows import IdentifierKey, ReuseWindows

# (event id, index of the reference in the event).
RefKey = tuple[int, int]
# What carriers report about a package under way, and what ends its way.
ARRIVALS = frozenset({EventType.DELIVERED, EventType.SHIPMENT_RETURNED, EventType.SHIPMENT_VOID})
SCANS = frozenset(
    {
        EventType.PICKED_UP,
        EventType.IN_TRANSIT,
        EventType.OUT_FOR_DELIVERY,
        EventType.ATTEMPTED,
        EventType.AVAILABLE_FOR_PICKUP,
        EventType.DELIVERED,
        EventType.DELAYED,
        EventType.SHIPMENT_EXCEPTION,
        EventType.SHIPMENT_RETURNED,
    }
)
MAX_TRANSIT = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Mention:
    """One reference of one event. All its identity keys name the same object.

    `is_corrected`: its source withdrew the event. The mention then connects nothing and starts no
    generation; it stays with the object that the other mentions of its keys name.
    """

    ref_key: RefKey
    # (occurred at, source, key, content hash, reference): independent of the order of arrival.
    sort_key: tuple[datetime, str, str, str, int]
    identity_keys: tuple[IdentifierKey, ...]
    other_keys: tuple[IdentifierKey, ...] = ()
    event_type: str = ""
    is_corrected: bool = False

    @property
    def at(self) -> datetime:
        """When the event occurred."""
        return self.sort_key[0]


class KeyGenerations:
    """The generations of one key: a new one after each gap longer than its reuse window.

    A scan of a package that has not arrived is no new use of its tracking number, however long no
    scan was reported; at most for MAX_TRANSIT.
    """

    def __init__(
        self, key: IdentifierKey, mentions: Iterable[Mention], windows: ReuseWindows
    ) -> None:
        gap, last = windows.reuse_window_of_key(key), None
        is_tracking, has_arrived = key[1] == IdentifierScheme.TRACKING, False
        self.intervals: list[tuple[datetime, datetime]] = []
        for mention in sorted(mentions, key=lambda m: (m.sort_key, m.ref_key)):
            at = mention.at
            is_late = last is not None and gap is not None and at - last > gap
            if is_late and is_tracking and mention.event_type in SCANS and not has_arrived:
                assert last is not None
                is_late = at - last > MAX_TRANSIT
            if last is None or is_late:
                self.intervals.append((at, at))
                has_arrived = False
            else:
                self.intervals[-1] = (self.intervals[-1][0], at)
            has_arrived = has_arrived or mention.event_type in ARRIVALS
            last = at

    def index_at(self, moment: datetime) -> int:
        """Return the index of the generation at a time: the last one that had begun, else 0."""
        return max(bisect_right([span[0] for span in self.intervals], moment) - 1, 0)
