"""Read the answer of the provider: check it, and read the person from its assertion."""

import base64
import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import xmlsec
from lxml import etree
from onelogin.saml2.errors import OneLogin_Saml2_Error, OneLogin_Saml2_ValidationError
from onelogin.saml2.response import OneLogin_Saml2_Response
from onelogin.saml2.settings import OneLogin_Saml2_Settings
from onelogin.saml2.utils import OneLogin_Saml2_Utils

from visibility.models import SamlProvider
from visibility.web.people.saml.messages import POST_BINDING
from visibility.web.people.saml.person import build_saml_identity
from visibility.web.people.saml.provider_metadata import REDIRECT_BINDING
from visibility.web.people.saml.response_statements import check_statements
from visibility.web.people.saml.response_structure import refuse_answer, single_assertion
from visibility.web.people.saml.service_provider import own_entity_id, response_address
from visibility.web.people.saml.xml_documents import (
    MAX_RESPONSE_BYTES,
    NAMESPACES,
    InvalidXml,
    find_all,
    parse_xml,
    readable_xml,
)
from visibility.web.people.single_sign_on.provider_identity import ProviderIdentity
from visibility.web.people.single_sign_on.refusals import Reason, SignInRefused
from visibility.web.people.single_sign_on.sign_in import printable_line

Code = OneLogin_Saml2_ValidationError
# Of python3-saml's errors; others are Reason.TOKEN.
REASONS = {
    Code.ASSERTION_TOO_EARLY: Reason.EXPIRED,
    Code.ASSERTION_EXPIRED: Reason.EXPIRED,
    Code.SESSION_EXPIRED: Reason.EXPIRED,
    Code.WRONG_AUDIENCE: Reason.AUDIENCE,
    Code.WRONG_ISSUER: Reason.ISSUER,
    Code.ISSUER_MULTIPLE_IN_RESPONSE: Reason.ISSUER,
    Code.ISSUER_NOT_FOUND_IN_ASSERTION: Reason.ISSUER,
    Code.WRONG_SUBJECTCONFIRMATION: Reason.RECIPIENT,
    Code.NO_NAMEID: Reason.SUBJECT,
    Code.EMPTY_NAMEID: Reason.SUBJECT,
    Code.SP_NAME_QUALIFIER_NAME_MISMATCH: Reason.SUBJECT,
    Code.INVALID_SIGNATURE: Reason.SIGNATURE,
    Code.NO_SIGNATURE_FOUND: Reason.SIGNATURE,
}
SENTENCES = {
    Reason.EXPIRED: "it has expired or is not yet valid; compare the clocks",
    Reason.AUDIENCE: "its assertion is for another audience",
    Reason.ISSUER: "it is of another issuer",
    Reason.RECIPIENT: "its assertion is for another recipient",
    Reason.SUBJECT: "it names no person",
    Reason.SIGNATURE: "its signature is wrong",
    Reason.TOKEN: "it is incomplete or damaged",
}
# What the library raises on documents that it does not foresee.
UNEXPECTED = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, xmlsec.Error)
SUCCESS = "urn:oasis:names:tc:SAML:2.0:status:Success"


@dataclass(frozen=True, slots=True)
class ReceivedAnswer:
    """An answer that is not checked yet, and the request that it names; "" if it names none."""

    content: bytes
    request_id: str
    is_encrypted: bool


@dataclass(frozen=True, slots=True)
class AssertedPerson:
    """Who the provider says it is, and a digest that names the assertion."""

    identity: ProviderIdentity
    assertion_key: str


def parse_answer(encoded: str) -> ReceivedAnswer:
    """The posted SAMLResponse. Raises SignInRefused."""
    try:
        if len(encoded) > MAX_RESPONSE_BYTES * 3 // 2:
            raise InvalidXml(f"it has more than {MAX_RESPONSE_BYTES // 1024} KiB")
        raw = base64.b64decode("".join(encoded.split()), validate=True)
        root = parse_xml(raw, max_bytes=MAX_RESPONSE_BYTES)
        content = readable_xml(raw, max_bytes=MAX_RESPONSE_BYTES)
    except InvalidXml as error:
        raise refuse_answer(Reason.TOKEN, str(error)) from None
    except ValueError:  # no base64
        raise refuse_answer(Reason.TOKEN, SENTENCES[Reason.TOKEN]) from None
    if root.tag != f"{{{NAMESPACES['samlp']}}}Response":
        raise refuse_answer(Reason.TOKEN, "it is no response")
    is_encrypted = bool(find_all(root, "//saml:EncryptedAssertion"))
    return ReceivedAnswer(content, root.get("InResponseTo", ""), is_encrypted)


def read_person(
    row: SamlProvider, answer: ReceivedAnswer, *, request_id: str, now: datetime
) -> AssertedPerson:
    """Check the answer to a request, and read who it names. Raises SignInRefused."""
    if answer.is_encrypted:
        text = "its assertion is encrypted; switch the encryption off at the provider"
        raise refuse_answer(Reason.TOKEN, text)
    settings = OneLogin_Saml2_Settings(_library_settings(row))
    try:
        response = OneLogin_Saml2_Response(settings, base64.b64encode(answer.content).decode())
        # The tree in which the library checks the signatures is the one that is read.
        root = response.document
        _check_status(row, root)
        assertion = single_assertion(root)
        check_statements(root, assertion, request_id=request_id, now=now)
        response.is_valid(_request_data(), request_id=request_id, raise_exceptions=True)
        identity = build_saml_identity(row, response)
    except OneLogin_Saml2_ValidationError as error:
        reason = REASONS.get(error.code, Reason.TOKEN)
        raise refuse_answer(reason, SENTENCES[reason]) from error
    except (OneLogin_Saml2_Error, etree.LxmlError, *UNEXPECTED) as error:
        raise refuse_answer(Reason.TOKEN, SENTENCES[Reason.TOKEN]) from error
    name = f"{row.entity_id}\0{assertion.get('ID')}"
    return AssertedPerson(identity, hashlib.sha256(name.encode()).hexdigest())


def _check_status(row: SamlProvider, root: Any) -> None:
    """Raises SignInRefused with the error that the provider sent instead of an assertion."""
    status = OneLogin_Saml2_Utils.get_status(root)
    code, text = str(status.get("code") or ""), str(status.get("msg") or "")
    if code != SUCCESS:
        reason = printable_line(code.rpartition(":")[2], text.rpartition("status:")[2])
        raise SignInRefused(Reason.PROVIDER_REFUSED, f"{row.name} refused the sign-in: {reason}.")


def _library_settings(row: SamlProvider) -> dict[str, Any]:
    certificates = list(row.certificates)
    return {
        "strict": True,
        "debug": False,
        "sp": {
            "entityId": own_entity_id(),
            "assertionConsumerService": {"url": response_address(), "binding": POST_BINDING},
        },
        "idp": {
            "entityId": row.entity_id,
            "singleSignOnService": {"url": row.sign_in_address, "binding": REDIRECT_BINDING},
            "x509certMulti": {"signing": certificates},
        },
        "security": {
            "rejectDeprecatedAlgorithm": True,
            "wantAttributeStatement": False,
            # Some providers send an attribute once for each value.
            "allowRepeatAttributeName": True,
            "allowSingleLabelDomains": True,
            "requestedAuthnContext": False,
        },
    }


def _request_data() -> dict[str, Any]:
    """Where the answer arrived, as the library asks: the public address, not the request's."""
    address = urlsplit(response_address())
    return {
        "https": "on" if address.scheme == "https" else "off",
        "http_host": address.netloc,
        "script_name": address.path,
        "get_data": {},
        "post_data": {},
    }
