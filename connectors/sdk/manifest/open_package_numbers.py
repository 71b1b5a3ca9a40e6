"""Which tracking numbers a poll about open packages asks for."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

from connectors.sdk.manifest.build_poll_requests import read_response_document
from connectors.sdk.manifest.definition import PollRule
from connectors.sdk.webhook_and_poll_types import HttpResponse, OpenPackage, PollError

BAD_REQUEST = 400
# So many numbers of one round are hardly all invalid.
MIN_REFUSED_REQUESTS = 3


def carrier_code_by_number(rule: PollRule, packages: Sequence[OpenPackage]) -> dict[str, str]:
    """Return the numbers to ask for in order, each with the code of its carrier in the API.

    A package whose carrier no source named is only asked for if its number has one of the
    `unnamed_carrier` patterns, if there are any. If the API wants codes of carriers, those of
    packages whose carrier has none are left out. A number with other than printable ASCII
    characters belongs to no carrier, and cannot stand in a header.
    """
    codes = {}
    for package in sorted(packages, key=lambda package: package.tracking_number):
        number, name = package.tracking_number, package.carrier.casefold()
        code = next((code for text, code in rule.carrier_codes.items() if text in name), "")
        if (
            number.isascii()
            and number.isprintable()
            and (name or _has_number_of_carrier(rule, number))
            and (code or not rule.carrier_codes)
        ):
            codes[number] = code
    return codes


def says_that_numbers_are_unknown(
    rule: PollRule, record_format: str, response: HttpResponse
) -> bool:
    """Whether the API answered that it does not know the numbers.

    A wrong URL has one of these statuses too, but no document of the API.
    """
    if response.status not in rule.unknown_number:
        return False
    try:
        return bool(read_response_document(rule.request.kind, response, record_format).value)
    except PollError:
        return False


def raise_if_every_request_was_refused(statuses: Sequence[int]) -> None:
    """Raise PollError if a round of several requests got nothing but 400.

    A carrier answers 400 about a number that cannot be one of its own. If it does so about every
    number, the request itself is wrong.
    """
    if len(statuses) >= MIN_REFUSED_REQUESTS and set(statuses) == {BAD_REQUEST}:
        raise PollError(
            f"all {len(statuses)} requests of this round were refused (HTTP 400)",
            status=BAD_REQUEST,
        )


def _has_number_of_carrier(rule: PollRule, number: str) -> bool:
    compact = number.replace(" ", "").upper()
    return not rule.unnamed_carrier or any(
        fnmatchcase(compact, pattern) for pattern in rule.unnamed_carrier
    )
