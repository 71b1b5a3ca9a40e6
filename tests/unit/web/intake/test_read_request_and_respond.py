"""Headers of raw requests: which of them may be repeated."""

import pytest

from visibility.web.intake.read_request_and_respond import HttpError, parse_headers_within_limits


@pytest.mark.parametrize(
    "name",
    [
        "authorization",
        "content-length",
        "content-type",
        "webhook-id",
        "svix-timestamp",
        "x-shopify-hmac-sha256",
        "x-shopify-webhook-id",
        "x-shiphero-message-id",
        "x-throughline-signature",
        "x-odoo-token",
        "x-api-key",
        "ce-id",
    ],
)
def test_repeated_header_that_identifies_sender_or_message_is_refused(name: str) -> None:
    once = [(name.encode(), b"a")]
    assert parse_headers_within_limits({"headers": once}) == {name: "a"}
    with pytest.raises(HttpError, match="Bad Request") as refused:
        parse_headers_within_limits({"headers": [*once, (name.upper().encode(), b"a")]})
    assert refused.value.detail == f"the header {name} is given twice"


@pytest.mark.parametrize("name", ["x-forwarded-for", "accept", "via", "cookie", "tracestate"])
def test_last_of_other_repeated_headers_counts(name: str) -> None:
    assert parse_headers_within_limits(
        {"headers": [(name.encode(), b"a"), (name.encode(), b"b")]}
    ) == {name: "b"}
