"""Limits of a series of outgoing requests: time and number."""

import time
from dataclasses import dataclass, field


class RequestBudgetExceeded(ConnectionError):
    """The requests took too long, or were too many."""


@dataclass(slots=True)
class RequestBudget:
    """The time and the number of requests that one step, such as a page of a poll, may use."""

    seconds: float
    requests: int
    _deadline: float = field(init=False, default=0.0)
    _requests_left: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Start the next step with the full budget."""
        self._deadline = time.monotonic() + self.seconds
        self._requests_left = self.requests

    def extend(self, seconds: float) -> None:
        """Leave out a pause that limits of the source asked for."""
        self._deadline += seconds

    def count_request_and_return_seconds_left(self) -> float:
        """Count a request, and return the seconds it may take. Raises RequestBudgetExceeded."""
        seconds_left = self._deadline - time.monotonic()
        if seconds_left <= 0:
            raise RequestBudgetExceeded(f"there was no complete page within {self.seconds:.0f} s")
        if self._requests_left <= 0:
            raise RequestBudgetExceeded(
                f"there was no complete page within {self.requests} requests"
            )
        self._requests_left -= 1
        return seconds_left
