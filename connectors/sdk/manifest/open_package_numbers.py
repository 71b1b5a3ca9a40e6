"""Which tracking numbers a poll about open packages asks for."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

from connectors.sdk.manifest.build_poll_requests import read_response_document
from connectors.sdk.manifest.definition import PollRule
from connectors.sdk.webhook_and_poll_types import HttpResponse, OpenPackage, PollError


def numbers_to_ask(rule: PollRule, packages: Sequence[OpenPackage]) -> list[str]:
    """Return the numbers in order, each once.

    A package whose carrier no source named is only asked for if its number has one of the
    `unnamed_carrier` patterns, if there are any. A number with other than printable ASCII
    characters belongs to no carrier, and cannot stand in a header.
    """
    return sorted(
        {
            package.tracking_number
            for package in packages
            if package.tracking_number.isascii()
            and package.tracking_number.isprintable()
            and (package.carrier or _has_number_of_carrier(rule, package.tracking_number))
        }
    )


def says_that_numbers_are_unknown(rule: PollRule, response: HttpResponse) -> bool:
    """Whether the API answered that it does not know the numbers.

    A wrong URL has one of these statuses too, but no document of the API.
    """
    if response.status not in rule.not_found:
        return False
    try:
        return bool(read_response_document(rule.request.kind, response).value)
    except PollError:
        return False


def _has_number_of_carrier(rule: PollRule, number: str) -> bool:
    compact = number.replace(" ", "").upper()
    return not rule.unnamed_carrier or any(
        fnmatchcase(compact, pattern) for pattern in rule.unnamed_carrier
    )
