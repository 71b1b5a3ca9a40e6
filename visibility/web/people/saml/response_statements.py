"""Check for whom and for when an assertion is: exactly, as SAML 2.0 Profiles, 4.1.4.3 says.

python3-saml accepts an answer without these statements, prefixes of addresses, and clocks that
differ by five minutes.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from visibility.web.people.saml.provider_metadata import parse_time
from visibility.web.people.saml.response_structure import refuse_answer
from visibility.web.people.saml.service_provider import own_entity_id, response_address
from visibility.web.people.saml.xml_documents import find_all
from visibility.web.people.single_sign_on.refusals import Reason

CLOCK_DIFFERENCE = timedelta(seconds=60)
BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer"


def check_statements(root: Any, assertion: Any, *, request_id: str, now: datetime) -> None:
    """Check destination, audience, recipient, request and times. Raises SignInRefused."""
    is_signed = bool(find_all(root, "ds:Signature"))
    destination = root.get("Destination")
    if destination != response_address() and (is_signed or destination is not None):
        raise refuse_answer(Reason.RECIPIENT, "it is for another address")
    if assertion.get("Version") != "2.0" or not assertion.get("ID"):
        raise refuse_answer(Reason.TOKEN, "its assertion has no ID or another version")
    conditions = find_all(assertion, "saml:Conditions")
    if len(conditions) != 1:
        raise refuse_answer(Reason.AUDIENCE, "its assertion has no conditions")
    _check_times(conditions[0], now)
    restrictions = find_all(conditions[0], "saml:AudienceRestriction")
    audiences = [_texts(restriction, "saml:Audience") for restriction in restrictions]
    if not audiences or any(own_entity_id() not in names for names in audiences):
        raise refuse_answer(Reason.AUDIENCE, "its assertion is for another audience")
    _check_confirmation(assertion, request_id, now)


def _check_confirmation(assertion: Any, request_id: str, now: datetime) -> None:
    confirmations = [
        element
        for element in find_all(assertion, "saml:Subject/saml:SubjectConfirmation")
        if element.get("Method") == BEARER
    ]
    data = [
        entry
        for element in confirmations
        for entry in find_all(element, "saml:SubjectConfirmationData")
    ]
    if len(confirmations) != 1 or len(data) != 1:
        raise refuse_answer(Reason.RECIPIENT, "its assertion does not name one recipient")
    if data[0].get("Recipient") != response_address():
        raise refuse_answer(Reason.RECIPIENT, "its assertion is for another recipient")
    if data[0].get("InResponseTo") != request_id:
        raise refuse_answer(Reason.STATE, "its assertion belongs to another sign-in")
    if data[0].get("NotOnOrAfter") is None:
        raise refuse_answer(Reason.EXPIRED, "its assertion has no end")
    _check_times(data[0], now)


def _check_times(element: Any, now: datetime) -> None:
    times = [
        None if element.get(name) is None else _readable_time(element.get(name))
        for name in ("NotBefore", "NotOnOrAfter")
    ]
    begins, ends = times
    if begins is not None and begins > now + CLOCK_DIFFERENCE:
        raise refuse_answer(Reason.EXPIRED, "it is not yet valid; compare the clocks")
    if ends is not None and ends <= now - CLOCK_DIFFERENCE:
        raise refuse_answer(Reason.EXPIRED, "it has expired; compare the clocks")


def _readable_time(text: str) -> datetime:
    moment = parse_time(text)
    if moment is None:
        raise refuse_answer(Reason.EXPIRED, "its times cannot be read")
    return moment


def _texts(element: Any, path: str) -> Sequence[str]:
    return [(child.text or "").strip() for child in find_all(element, path)]
