"""Refuse answers whose structure is not the plain one, before their signature is checked.

One assertion below the answer, unique IDs, and signatures that cover exactly their parent: whatever
a signature does not cover cannot be read (XML signature wrapping).
"""

from collections import Counter
from typing import Any

from visibility.web.people.saml.xml_documents import find_all
from visibility.web.people.single_sign_on.refusals import Reason, SignInRefused

EXCLUSIVE_C14N = frozenset(
    {
        "http://www.w3.org/2001/10/xml-exc-c14n#",
        "http://www.w3.org/2001/10/xml-exc-c14n#WithComments",
    }
)
TRANSFORMS = EXCLUSIVE_C14N | {"http://www.w3.org/2000/09/xmldsig#enveloped-signature"}
# Signatures with a private key, and no SHA-1.
SIGNATURE_METHODS = frozenset(
    f"http://www.w3.org/2001/04/xmldsig-more#{kind}-sha{bits}"
    for kind in ("rsa", "ecdsa")
    for bits in (256, 384, 512)
)
DIGEST_METHODS = frozenset(
    {
        "http://www.w3.org/2001/04/xmlenc#sha256",
        "http://www.w3.org/2001/04/xmldsig-more#sha384",
        "http://www.w3.org/2001/04/xmlenc#sha512",
    }
)


def refuse_answer(reason: Reason, text: str) -> SignInRefused:
    """The refusal of an answer of the provider."""
    return SignInRefused(reason, f"The answer of the provider is not valid: {text}.")


def single_assertion(root: Any) -> Any:
    """The assertion of a response, after a check of the structure. Raises SignInRefused."""
    assertions = find_all(root, "//saml:Assertion")
    if len(assertions) != 1 or assertions[0].getparent() is not root:
        raise refuse_answer(Reason.SIGNATURE, "it must have one assertion")
    ids = Counter(str(value) for value in root.xpath("//@ID | //@Id | //@id | //@xml:id"))
    if any(count > 1 for count in ids.values()):
        raise refuse_answer(Reason.SIGNATURE, "an ID occurs twice")
    signatures = find_all(root, "//ds:Signature")
    if not signatures:
        raise refuse_answer(Reason.SIGNATURE, "neither it nor its assertion is signed")
    for signature in signatures:
        _check_signature(signature, {root, assertions[0]})
    return assertions[0]


def _check_signature(signature: Any, signable: set[Any]) -> None:
    parent = signature.getparent()
    references = find_all(signature, "ds:SignedInfo/ds:Reference")
    is_plain = (
        parent in signable
        and len(find_all(parent, "ds:Signature")) == 1
        and len(references) == 1
        and len(find_all(signature, ".//ds:Reference")) == 1
        and bool(parent.get("ID"))
        and references[0].get("URI") == f"#{parent.get('ID')}"
        and not find_all(signature, "ds:Object")
    )
    if not is_plain:
        raise refuse_answer(Reason.SIGNATURE, "its signature does not cover the assertion")
    allowed = {
        "ds:SignedInfo/ds:CanonicalizationMethod": EXCLUSIVE_C14N,
        "ds:SignedInfo/ds:SignatureMethod": SIGNATURE_METHODS,
        ".//ds:DigestMethod": DIGEST_METHODS,
        ".//ds:Transform": TRANSFORMS,
    }
    for path, algorithms in allowed.items():
        used = {element.get("Algorithm") for element in find_all(signature, path)}
        if not used <= algorithms:
            raise refuse_answer(Reason.SIGNATURE, "its signature has a forbidden algorithm")
