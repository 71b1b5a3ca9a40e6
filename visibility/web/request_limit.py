"""Limits of requests per minute, by address or by another key, counted in this process."""

import ipaddress
import threading
import time
from collections import Counter
from collections.abc import Callable

WINDOW = 60.0  # seconds
# Further keys of one minute share one count, so that the memory stays bounded.
MAX_KEYS = 20_000


class RequestLimit:
    """Counts the requests of each key in windows of a minute."""

    def __init__(self, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit, self._clock = limit, clock
        self._lock = threading.Lock()
        self._window = 0
        self._counts: Counter[str] = Counter()

    def take_address(self, address: str) -> bool:
        """Count a request of an address; an IPv6 address counts for its network."""
        return self.take(address_network(address))

    def take(self, key: str) -> bool:
        """Count a request; False if the key has used up its limit in this minute."""
        with self._lock:
            window = int(self._clock() // WINDOW)
            if window != self._window:
                self._window, self._counts = window, Counter()
            if key not in self._counts and len(self._counts) >= MAX_KEYS:
                key = ""
            self._counts[key] += 1
            return self._counts[key] <= self._limit


def address_network(address: str) -> str:
    """An IPv4 address, or the /64 network of an IPv6 address, which one customer has whole."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return ""
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is None:
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(getattr(parsed, "ipv4_mapped", None) or parsed)
