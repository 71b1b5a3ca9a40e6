"""Retry-After in every form that systems send."""

from datetime import UTC, datetime, timedelta

import pytest

from connectors.sdk.webhook_and_poll_types import (
    MAX_RETRY_DELAY,
    HttpResponse,
    parse_retry_after,
    poll_error_of_response,
)

NOW = datetime(2026, 3, 4, 10, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("7", timedelta(seconds=7)),
        (7, timedelta(seconds=7)),
        (" 1.5 ", timedelta(seconds=1.5)),
        ("Wed, 04 Mar 2026 10:05:00 GMT", timedelta(minutes=5)),
        ("Wed, 04 Mar 2026 05:05:00 -0500", timedelta(minutes=5)),
        ("Wed, 04 Mar 2026 10:05:00", timedelta(minutes=5)),
        ("Thu, 05 Mar 2026 10:00:00 GMT", MAX_RETRY_DELAY),
        ("3601", MAX_RETRY_DELAY),
        ("9" * 400, MAX_RETRY_DELAY),
        ("inf", MAX_RETRY_DELAY),
        ("Infinity", MAX_RETRY_DELAY),
        (float("inf"), MAX_RETRY_DELAY),
    ],
)
def test_wait_is_honored_up_to_an_hour(given: float | str, expected: timedelta) -> None:
    assert parse_retry_after(given, NOW) == expected


@pytest.mark.parametrize(
    "given",
    [
        None,
        "",
        "nan",
        float("nan"),
        "-inf",
        "-5",
        "0",
        0,
        "soon",
        "Wed, 04 Mar 2026 09:59:59 GMT",
        "Wed, 32 Foo 2026",
        "Fri, 31 Dec 99999 23:59:59 GMT",
        "\x00",
    ],
)
def test_unusable_wait_is_none(given: float | str | None) -> None:
    assert parse_retry_after(given, NOW) is None


def test_error_of_a_response_has_its_status_and_header() -> None:
    error = poll_error_of_response(
        "the order request", HttpResponse(429, {"Retry-After": "7"}, b"")
    )
    assert (str(error), error.status) == ("the order request returned HTTP 429", 429)
    assert parse_retry_after(error.retry_after, NOW) == timedelta(seconds=7)
