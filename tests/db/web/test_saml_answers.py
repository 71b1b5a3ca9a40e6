"""Answers of a SAML provider that are wrong, forged, wrapped, replayed or hostile XML."""

import base64
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client
from lxml import etree
from pytest_django.fixtures import Settings

from tests.builders.saml import (
    come_back,
    leave,
    post_answer,
    sign_in_at,
    store_saml_provider,
)
from tests.builders.saml_identity_provider import (
    DS,
    NAMES,
    RSA_SHA1,
    SAML,
    SAMLP,
    SHA1,
    LocalSamlProvider,
    encoded_certificate,
    new_id,
    sign,
    time_text,
)
from tests.builders.single_sign_on import running_provider, shown_after
from tests.builders.users import create_user
from visibility.models import AuditEntry, SamlSignIn
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
Change = Callable[[Any], object]
TRANSIENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"


@pytest.fixture
def server(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalSamlProvider]:
    with running_provider(settings, monkeypatch, LocalSamlProvider) as running:
        create_user(UserRole.OPERATIONS, "grace", email="grace@example.com")
        create_user(UserRole.OPERATIONS, "victim", email="victim@example.com")
        store_saml_provider(running)
        yield running


def assert_refused(client: Client, answer: Any, sentence: str, reason: str) -> None:
    assert sentence in shown_after(client, answer)
    assert "_auth_user_id" not in client.session
    assert AuditEntry.objects.latest("pk").detail["reason"] == reason


def at(path: str, attribute: str, value: str | None) -> Change:
    """Set an attribute of an element, or remove it."""

    def change(root: Any) -> None:
        element = root.xpath(path, namespaces=NAMES)[0]
        if value is None:
            del element.attrib[attribute]
        else:
            element.set(attribute, value)

    return change


def text_at(path: str, text: str) -> Change:
    def change(root: Any) -> None:
        root.xpath(path, namespaces=NAMES)[0].text = text

    return change


def without(path: str) -> Change:
    def change(root: Any) -> None:
        element = root.xpath(path, namespaces=NAMES)[0]
        element.getparent().remove(element)

    return change


def in_seconds(path: str, attribute: str, seconds: int) -> Change:
    return lambda root: at(
        path, attribute, time_text(datetime.fromtimestamp(time.time() + seconds, UTC))
    )(root)


CONDITIONS, CONFIRMATION = "//saml:Conditions", "//saml:SubjectConfirmationData"
AUDIENCE, EXPIRED = "its assertion is for another audience", "it has expired"
RECIPIENT = "its assertion is for another recipient"


@pytest.mark.parametrize(
    ("change", "sentence", "reason"),
    [
        (text_at("//saml:Audience", "http://testserver"), AUDIENCE, "audience"),
        (without("//saml:AudienceRestriction"), AUDIENCE, "audience"),
        (without(CONDITIONS), "its assertion has no conditions", "audience"),
        (at(CONFIRMATION, "Recipient", "http://other/x"), RECIPIENT, "recipient"),
        (
            # python3-saml accepts a recipient that contains the address.
            at(CONFIRMATION, "Recipient", "http://testserver/signin/single-sign-on/saml/response2"),
            RECIPIENT,
            "recipient",
        ),
        (at(CONFIRMATION, "Recipient", None), RECIPIENT, "recipient"),
        (at("/samlp:Response", "Destination", "http://other/x"), "another address", "recipient"),
        (
            at(
                "/samlp:Response",
                "Destination",
                "http://testserver/signin/single-sign-on/saml/response2",
            ),
            "another address",
            "recipient",
        ),
        (at(CONFIRMATION, "InResponseTo", new_id()), "belongs to another sign-in", "state"),
        (at(CONFIRMATION, "InResponseTo", None), "belongs to another sign-in", "state"),
        (in_seconds(CONDITIONS, "NotOnOrAfter", -90), EXPIRED, "expired"),
        (in_seconds(CONDITIONS, "NotBefore", 90), "it is not yet valid", "expired"),
        (in_seconds(CONFIRMATION, "NotOnOrAfter", -90), EXPIRED, "expired"),
        (at(CONFIRMATION, "NotOnOrAfter", None), "its assertion has no end", "expired"),
        (at(CONDITIONS, "NotOnOrAfter", "tomorrow"), "its times cannot be read", "expired"),
        (at(CONDITIONS, "NotBefore", "x"), "its times cannot be read", "expired"),
        (text_at("//saml:Assertion/saml:Issuer", "http://evil"), "of another issuer", "issuer"),
        (text_at("/samlp:Response/saml:Issuer", "http://evil"), "of another issuer", "issuer"),
        (without("//saml:NameID"), "it names no person", "subject"),
        (text_at("//saml:NameID", " "), "it names no person", "subject"),
        (text_at("//saml:NameID", "x" * 192), "it names no person", "subject"),
        (at("//saml:NameID", "Format", TRANSIENT), "choose the persistent format", "subject"),
        (at("//saml:NameID", "SPNameQualifier", "other"), "it names no person", "subject"),
        (at("//saml:Assertion", "Version", "1.1"), "another version", "token"),
        (without("//saml:AuthnStatement"), "it is incomplete or damaged", "token"),
        (at("//saml:SubjectConfirmation", "Method", "urn:other"), "one recipient", "recipient"),
    ],
)
def test_statement_that_is_wrong_or_missing_is_refused(
    client: Client, server: LocalSamlProvider, change: Change, sentence: str, reason: str
) -> None:
    server.change = change
    assert_refused(client, sign_in_at(client, server), sentence, reason)


def test_small_difference_of_clocks_is_accepted(client: Client, server: LocalSamlProvider) -> None:
    server.change = in_seconds(CONDITIONS, "NotBefore", 40)
    sign_in_at(client, server)
    assert "_auth_user_id" in client.session


def both(root: Any) -> None:
    sign(root.find(f"{{{SAML}}}Assertion"))
    sign(root)


def test_signature_of_the_answer_or_of_both_is_accepted(
    client: Client, server: LocalSamlProvider
) -> None:
    for way in (sign, both):
        server.sign_response = way
        sign_in_at(client, server)
        assert client.session.pop("_auth_user_id")
        client.post("/signout")


def test_new_certificate_beside_the_old_one_is_accepted(
    client: Client, server: LocalSamlProvider
) -> None:
    server.certificates = [encoded_certificate("old"), encoded_certificate()]
    store_saml_provider(server)
    sign_in_at(client, server)
    assert "_auth_user_id" in client.session


def sign_assertion(**options: Any) -> Change:
    return lambda root: sign(root.find(f"{{{SAML}}}Assertion"), **options)


def sign_with_public_key_as_secret(root: Any) -> None:
    """HMAC with what everybody knows."""
    assertion = root.find(f"{{{SAML}}}Assertion")
    sign(assertion)
    method = assertion.find(f".//{{{DS}}}SignatureMethod")
    method.set("Algorithm", "http://www.w3.org/2000/09/xmldsig#hmac-sha256")


def sign_then_change(root: Any) -> None:
    sign(root.find(f"{{{SAML}}}Assertion"))
    root.find(f".//{{{SAML}}}NameID").text = "subject-2"


def sign_another_element(root: Any) -> None:
    """A signature in the assertion that covers only its subject."""
    assertion = root.find(f"{{{SAML}}}Assertion")
    subject = assertion.find(f"{{{SAML}}}Subject")
    subject.set("ID", new_id())
    sign(subject)
    assertion.insert(1, subject.find(f"{{{DS}}}Signature"))


@pytest.mark.parametrize(
    ("way", "sentence"),
    [
        (lambda _root: None, "neither it nor its assertion is signed"),
        (sign_assertion(key_name="attacker"), "its signature is wrong"),
        (sign_then_change, "its signature is wrong"),
        (sign_assertion(method=RSA_SHA1), "its signature has a forbidden algorithm"),
        (sign_assertion(digest=SHA1), "its signature has a forbidden algorithm"),
        (sign_with_public_key_as_secret, "its signature has a forbidden algorithm"),
        (sign_another_element, "its signature does not cover the assertion"),
    ],
)
def test_answer_without_a_valid_signature_is_refused(
    client: Client, server: LocalSamlProvider, way: Change, sentence: str
) -> None:
    server.sign_response = way
    assert_refused(client, sign_in_at(client, server), sentence, "signature")


def forged(assertion: Any) -> Any:
    """The assertion of the attacker: of the victim, and without a signature."""
    copy = etree.fromstring(etree.tostring(assertion))
    copy.remove(copy.find(f"{{{DS}}}Signature"))
    copy.find(f".//{{{SAML}}}NameID").text = "victim"
    copy.find(f".//{{{SAML}}}AttributeValue").text = "victim@example.com"
    return copy


def forged_before(root: Any, original: Any) -> None:
    copy = forged(original)
    copy.set("ID", new_id())
    root.insert(root.index(original), copy)


def forged_with_the_same_id(root: Any, original: Any) -> None:
    root.insert(root.index(original), forged(original))


def original_in_extensions(root: Any, original: Any) -> None:
    copy = forged(original)
    copy.set("ID", new_id())
    root.replace(original, copy)
    extensions = etree.SubElement(root, f"{{{SAMLP}}}Extensions")
    extensions.append(original)
    root.insert(1, extensions)


def original_in_object_of_signature(root: Any, original: Any) -> None:
    copy = forged(original)
    signature = original.find(f"{{{DS}}}Signature")
    root.replace(original, copy)
    copy.insert(1, signature)
    etree.SubElement(signature, f"{{{DS}}}Object").append(original)


def signature_moved_to_the_forged_assertion(root: Any, original: Any) -> None:
    copy = forged(original)
    copy.set("ID", new_id())
    copy.insert(1, original.find(f"{{{DS}}}Signature"))
    root.replace(original, copy)
    etree.SubElement(root, f"{{{SAMLP}}}Extensions").append(original)


def original_in_a_response_in_the_answer(root: Any, original: Any) -> None:
    copy = forged(original)
    copy.set("ID", new_id())
    inner = etree.fromstring(etree.tostring(root))
    root.replace(original, copy)
    extensions = etree.SubElement(root, f"{{{SAMLP}}}Extensions")
    extensions.append(inner)


@pytest.mark.parametrize(
    "wrap",
    [
        forged_before,
        forged_with_the_same_id,
        original_in_extensions,
        original_in_object_of_signature,
        signature_moved_to_the_forged_assertion,
        original_in_a_response_in_the_answer,
    ],
)
def test_wrapped_assertion_signs_nobody_in(
    client: Client, server: LocalSamlProvider, wrap: Callable[[Any, Any], None]
) -> None:
    """XML signature wrapping: a valid signature stays in the document beside a forged assertion."""

    def change(text: str) -> str:
        root = etree.fromstring(text)
        wrap(root, root.find(f"{{{SAML}}}Assertion"))
        return str(etree.tostring(root, encoding="unicode"))

    server.change_text = change
    assert_refused(client, sign_in_at(client, server), "is not valid", "signature")


def test_comment_does_not_cut_the_name_of_a_person(
    client: Client, server: LocalSamlProvider
) -> None:
    server.subject = "victim.of.evil"
    server.change_text = lambda text: text.replace("victim.of", "victim<!-- -->.of")
    sign_in_at(client, server)
    assert "_auth_user_id" in client.session
    assert AuditEntry.objects.get(action="person.linked").detail["subject"] == "victim.of.evil"


def test_assertion_is_accepted_once(client: Client, server: LocalSamlProvider) -> None:
    """Also if the provider, or who has its key, puts it into answers to two requests."""
    server.change = at("//saml:Assertion", "ID", "_the-same")
    sign_in_at(client, server)
    assert "_auth_user_id" in client.session
    client.post("/signout")
    assert_refused(client, sign_in_at(client, server), "was used before", "replayed")


def test_assertion_of_another_request_is_refused(client: Client, server: LocalSamlProvider) -> None:
    """A stolen signed assertion in an answer that names the request of the attacker."""
    stolen = base64.b64decode(leave(Client(), server)["SAMLResponse"]).decode()
    form = leave(client, server)
    own = server.asked[-1].get("ID")
    root = etree.fromstring(stolen)
    root.set("InResponseTo", own)
    form["SAMLResponse"] = base64.b64encode(etree.tostring(root)).decode()
    assert_refused(client, come_back(client, form), "belongs to another sign-in", "state")


def test_encrypted_assertion_is_explained(client: Client, server: LocalSamlProvider) -> None:
    def change(root: Any) -> None:
        root.find(f"{{{SAML}}}Assertion").tag = f"{{{SAML}}}EncryptedAssertion"

    server.change = change
    sentence = "its assertion is encrypted; switch the encryption off"
    assert_refused(client, sign_in_at(client, server), sentence, "token")


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 9))
DOCUMENT = '<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="_1">{}'
END = "</samlp:Response>"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            f'<!DOCTYPE x [<!ENTITY l0 "lol">{LAUGHS}]>{DOCUMENT.format("&l8;")}{END}'.encode(),
            "a document type or entities",
        ),
        (
            '<!DOCTYPE x [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
            f"{DOCUMENT.format('&x;')}{END}".encode(),
            "a document type or entities",
        ),
        (
            f'<!DOCTYPE x SYSTEM "http://127.0.0.1/x.dtd">{DOCUMENT.format("")}{END}'.encode(),
            "a document type or entities",
        ),
        (
            '<?xml version="1.0" encoding="UTF-7"?>+ADwAIQ-DOCTYPE x+AD4-'
            f"{DOCUMENT.format('')}{END}".encode(),
            "it is incomplete or damaged",
        ),
        (f"{DOCUMENT.format('')}{END}".encode("utf-16"), "it is not in UTF-8"),
        (f"{DOCUMENT.format('x' * 300_000)}{END}".encode(), "it has more than 256 KiB"),
        ((DOCUMENT.format("") + "<a>" * 5000 + "</a>" * 5000 + END).encode(), "damaged"),
        (b"<a/>", "it is no response"),
        (b"not XML", "it is incomplete or damaged"),
        (b"", "it is incomplete or damaged"),
    ],
)
def test_hostile_document_is_refused_before_anything_is_read(
    client: Client, server: LocalSamlProvider, text: bytes, sentence: str
) -> None:
    form = leave(client, server)
    answer = post_answer({**form, "SAMLResponse": base64.b64encode(text).decode()})
    assert answer.status_code == 400
    assert sentence in answer.content.decode()
    assert AuditEntry.objects.latest("pk").detail["reason"] == "token"
    assert SamlSignIn.objects.get().received_at is None


def test_text_that_no_database_stores_is_refused(client: Client, server: LocalSamlProvider) -> None:
    assert post_answer({**leave(client, server), "RelayState": "a\0b"}).status_code == 400


@pytest.mark.parametrize("encoded", ["%%%", "AAA", "é"])
def test_answer_that_is_no_base64_is_refused(
    client: Client, server: LocalSamlProvider, encoded: str
) -> None:
    answer = post_answer({**leave(client, server), "SAMLResponse": encoded})
    assert (answer.status_code, "incomplete or damaged" in answer.content.decode()) == (400, True)
