"""Access tokens of polled systems, held in the memory of this process until they expire."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

MAX_TOKENS = 1_000


@dataclass
class AccessTokens:
    """A `TokenStore` for all threads of the process. Nothing is written to the database or a log.

    Each process fetches its own token. `clock` returns seconds.
    """

    clock: Callable[[], float] = time.monotonic
    _tokens: dict[str, tuple[str, float]] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def token(self, key: str) -> str:
        """Return the token of this key, or "" if there is none or it has expired."""
        with self._lock:
            token, expires_at = self._tokens.get(key, ("", 0.0))
        return token if self.clock() < expires_at else ""

    def store(self, key: str, token: str, seconds: float) -> None:
        """Hold a token for so many seconds; the oldest makes room for it."""
        with self._lock:
            self._tokens.pop(key, None)
            self._tokens[key] = (token, self.clock() + seconds)
            while len(self._tokens) > MAX_TOKENS:
                del self._tokens[next(iter(self._tokens))]

    def discard(self, key: str) -> None:
        """Remove the token of this key."""
        with self._lock:
            self._tokens.pop(key, None)


ACCESS_TOKENS = AccessTokens()
