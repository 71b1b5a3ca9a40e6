"""A SAML 2.0 identity provider on loopback: metadata, and sign-ins by the redirect binding.

It signs in `person` without asking, and answers with a form for the browser (POST binding).
`change` edits the unsigned elements of the next answers, `signed` names what is signed, and
`change_text` edits the signed XML as an attacker would.
"""

import base64
import secrets
import threading
import zlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from html import escape, unescape
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast
from urllib.parse import parse_qsl, urlsplit

import xmlsec as partly_typed_xmlsec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.x509.oid import NameOID
from lxml import etree

SAMLP = "urn:oasis:names:tc:SAML:2.0:protocol"
SAML = "urn:oasis:names:tc:SAML:2.0:assertion"
DS = "http://www.w3.org/2000/09/xmldsig#"
NAMES = {"samlp": SAMLP, "saml": SAML, "ds": DS}
PERSISTENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
SUCCESS = "urn:oasis:names:tc:SAML:2.0:status:Success"
PASSWORD_CONTEXT = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"
xmlsec: Any = partly_typed_xmlsec
RSA_SHA256, RSA_SHA1 = xmlsec.Transform.RSA_SHA256, xmlsec.Transform.RSA_SHA1
SHA256, SHA1 = xmlsec.Transform.SHA256, xmlsec.Transform.SHA1
Pair = tuple[RSAPrivateKey, x509.Certificate]


@cache
def key_pair(name: str = "provider") -> Pair:
    """A key and its certificate, generated once for each name."""
    key = generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{name}.example.com")])
    now = datetime.now(UTC)  # noqa: TID251  # of the provider, which has a clock of its own
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=365))
        .sign(key, hashes.SHA256())
    )
    return key, certificate


def encoded_certificate(name: str = "provider") -> str:
    content = key_pair(name)[1].public_bytes(serialization.Encoding.DER)
    return base64.b64encode(content).decode()


def sign(
    element: Any,
    *,
    key_name: str = "provider",
    method: Any = RSA_SHA256,
    digest: Any = SHA256,
) -> None:
    """Add an enveloped signature over the element, after its issuer."""
    signature = xmlsec.template.create(element, xmlsec.Transform.EXCL_C14N, method, ns="ds")
    element.insert(1, signature)
    reference = xmlsec.template.add_reference(signature, digest, uri=f"#{element.get('ID')}")
    xmlsec.template.add_transform(reference, xmlsec.Transform.ENVELOPED)
    xmlsec.template.add_transform(reference, xmlsec.Transform.EXCL_C14N)
    xmlsec.tree.add_ids(element, ["ID"])
    context = xmlsec.SignatureContext()
    pem = key_pair(key_name)[0].private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    context.key = xmlsec.Key.from_memory(pem, xmlsec.KeyFormat.PEM, None)
    context.sign(signature)


class LocalSamlProvider(ThreadingHTTPServer):
    """`requests` are the paths that arrived, `asked` the AuthnRequests."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _SamlHandler)
        self.subject, self.subject_format = "subject-1", PERSISTENT
        self.attributes: dict[str, list[str]] = {
            "mail": ["grace@example.com"],
            "cn": ["Grace Hopper"],
        }
        self.context = PASSWORD_CONTEXT
        self.status = SUCCESS
        self.change: Callable[[Any], object] = lambda _: None
        self.sign_response: Callable[[Any], object] = lambda response: sign(
            response.find(f"{{{SAML}}}Assertion")
        )
        self.change_text: Callable[[str], str] = lambda text: text
        self.certificates = [encoded_certificate()]
        self.requests: list[str] = []
        self.asked: list[Any] = []
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"

    @property
    def entity_id(self) -> str:
        return f"http://{self.address}/metadata"

    def close(self) -> None:
        self.shutdown()
        self.server_close()

    def visit(self, address: str) -> dict[str, str]:
        """Open the sign-in page as a browser would; return the fields of the form it gets."""
        target = urlsplit(address)
        assert target.netloc == self.address, address
        connection = HTTPConnection(self.address, timeout=10)
        connection.request("GET", f"{target.path}?{target.query}")
        answer = connection.getresponse()
        page = answer.read().decode()
        connection.close()
        assert answer.status == 200, page
        fields = {}
        for piece in page.split("<input ")[1:]:
            name = piece.partition('name="')[2].partition('"')[0]
            fields[name] = unescape(piece.partition('value="')[2].partition('"')[0])
        return {"action": unescape(page.partition('action="')[2].partition('"')[0]), **fields}

    def metadata(self) -> str:
        return saml_metadata(f"http://{self.address}", self.certificates)

    def answer(self, query: dict[str, str]) -> tuple[str, dict[str, str]]:
        """The address and the fields of the form that the browser posts."""
        content = zlib.decompress(base64.b64decode(query["SAMLRequest"]), -zlib.MAX_WBITS)
        asked = etree.fromstring(content)
        self.asked.append(asked)
        address = asked.get("AssertionConsumerServiceURL")
        audience = asked.findtext(f"{{{SAML}}}Issuer")
        text = self.build_response(asked.get("ID"), address, audience)
        encoded = base64.b64encode(text.encode()).decode()
        return address, {"SAMLResponse": encoded, "RelayState": query["RelayState"]}

    def build_response(self, request_id: str, address: str, audience: str) -> str:
        """The signed response to a request."""
        root = etree.fromstring(self._unsigned(request_id, address, audience))
        self.change(root)
        if root.find(f"{{{SAML}}}Assertion") is not None:
            self.sign_response(root)
        return self.change_text(etree.tostring(root, encoding="unicode"))

    def _unsigned(self, request_id: str, address: str, audience: str) -> str:
        now = datetime.now(UTC)  # noqa: TID251  # of the provider, which has a clock of its own
        soon = time_text(now + timedelta(minutes=5))
        attributes = "".join(
            f'<saml:Attribute Name="{escape(name)}">'
            + "".join(
                f"<saml:AttributeValue>{escape(text)}</saml:AttributeValue>" for text in texts
            )
            + "</saml:Attribute>"
            for name, texts in self.attributes.items()
        )
        issuer = f"<saml:Issuer>{self.entity_id}</saml:Issuer>"
        status = f'<samlp:Status><samlp:StatusCode Value="{self.status}"/></samlp:Status>'
        response = (
            f'<samlp:Response xmlns:samlp="{SAMLP}" xmlns:saml="{SAML}" ID="{new_id()}" '
            f'Version="2.0" IssueInstant="{time_text(now)}" Destination="{address}" '
            f'InResponseTo="{request_id}">{issuer}{status}'
        )
        if self.status != SUCCESS:
            return f"{response}</samlp:Response>"
        return (
            f'{response}<saml:Assertion ID="{new_id()}" Version="2.0" '
            f'IssueInstant="{time_text(now)}">{issuer}<saml:Subject>'
            f'<saml:NameID Format="{self.subject_format}">{escape(self.subject)}</saml:NameID>'
            '<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">'
            f'<saml:SubjectConfirmationData InResponseTo="{request_id}" Recipient="{address}" '
            f'NotOnOrAfter="{soon}"/></saml:SubjectConfirmation></saml:Subject>'
            f'<saml:Conditions NotBefore="{time_text(now)}" NotOnOrAfter="{soon}">'
            f"<saml:AudienceRestriction><saml:Audience>{audience}</saml:Audience>"
            "</saml:AudienceRestriction></saml:Conditions>"
            f'<saml:AuthnStatement AuthnInstant="{time_text(now)}"><saml:AuthnContext>'
            f"<saml:AuthnContextClassRef>{self.context}</saml:AuthnContextClassRef>"
            "</saml:AuthnContext></saml:AuthnStatement>"
            f"<saml:AttributeStatement>{attributes}</saml:AttributeStatement>"
            "</saml:Assertion></samlp:Response>"
        )


def saml_metadata(address: str, certificates: Sequence[str] = ()) -> str:
    """What a provider at this address publishes."""
    keys = "".join(
        f'<md:KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="{DS}"><ds:X509Data>'
        f"<ds:X509Certificate>{certificate}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>"
        "</md:KeyDescriptor>"
        for certificate in certificates or [encoded_certificate()]
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" '
        f'entityID="{address}/metadata">'
        f'<md:IDPSSODescriptor protocolSupportEnumeration="{SAMLP}">{keys}'
        '<md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" '
        f'Location="{address}/post"/>'
        '<md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" '
        f'Location="{address}/sso?tenant=1&amp;app=2"/>'
        "</md:IDPSSODescriptor></md:EntityDescriptor>"
    )


def new_id() -> str:
    return f"_{secrets.token_hex(16)}"


def time_text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


class _SamlHandler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server = cast("LocalSamlProvider", self.server)
        target = urlsplit(self.path)
        server.requests.append(target.path)
        if target.path == "/metadata":
            self._send(200, server.metadata(), "application/samlmetadata+xml")
        elif target.path == "/sso":
            action, fields = server.answer(dict(parse_qsl(target.query)))
            inputs = "".join(
                f'<input type="hidden" name="{name}" value="{escape(text)}">'
                for name, text in fields.items()
            )
            page = (
                f'<form method="post" action="{escape(action)}">{inputs}<button>Go</button></form>'
            )
            self._send(200, page, "text/html; charset=utf-8")
        else:
            self._send(404, "nothing", "text/plain")

    def _send(self, status: int, text: str, content_type: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Write no log."""
