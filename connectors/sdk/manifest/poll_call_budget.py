"""The budget of calls of a declared poll: it holds across rounds, restarts and failing calls."""

from collections.abc import Generator
from datetime import datetime

from connectors.sdk.event_codec import format_rfc3339
from connectors.sdk.manifest.build_poll_requests import RequestTemplateTexts
from connectors.sdk.manifest.definition import PollRule
from connectors.sdk.manifest.poll_state import PollState
from connectors.sdk.webhook_and_poll_types import PolledPage, PollError


def calls_per_window(rule: PollRule, texts: RequestTemplateTexts) -> int:
    """Return how many calls the window allows; 0: any number. Raises PollError."""
    if rule.limit_calls is None:
        return 0
    text = texts.render(rule.limit_calls)
    if not text.isascii() or not text.isdecimal():
        raise PollError(f"the limit of calls {text[:40]!r} is not a whole number")
    return int(text)


def count_call_unless_limit_reached(
    rule: PollRule, calls: int, state: PollState, now: datetime
) -> Generator[PolledPage, None, bool]:
    """Count a call in the state, also one that fails; False if the window's budget is used up.

    Yields a page without rows, which stores the count before the call.
    """
    if not calls:
        return True
    started = datetime.fromisoformat(state.window_start) if state.window_start else now
    if not state.window_start or now - started >= rule.limit_period:
        state.window_start, state.calls = format_rfc3339(now), 0
    if state.calls >= calls:
        return False
    state.calls += 1
    yield PolledPage((), state.to_cursor_text())
    return True
