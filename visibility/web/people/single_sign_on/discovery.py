"""Read the addresses and keys of an identity provider (OpenID Connect Discovery 1.0)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt
import requests

from visibility.web.people.single_sign_on.read_provider_values import (
    DISCOVERY_PATH,
    is_safe_scheme,
)
from visibility.web.people.single_sign_on.refusals import Reason, SignInRefused

ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")
SIGNING_KEY_TYPES = frozenset({"RSA", "EC", "OKP"})
MAX_DETAIL_LENGTH = 300


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A public key of the provider, and its name in the header of a token."""

    name: str
    public_key: Any


def read_discovery(session: requests.Session, issuer: str) -> dict[str, Any]:
    """The discovery document, with checked issuer and addresses. Raises SignInRefused."""
    address = issuer.rstrip("/") + DISCOVERY_PATH
    document = read_json(session, address, "the discovery document")
    stated = document.get("issuer")
    if not isinstance(stated, str) or stated.rstrip("/") != issuer.rstrip("/"):
        raise SignInRefused(
            Reason.PROVIDER,
            f"The discovery document is of the issuer {str(stated)[:200]}, not of {issuer}.",
        )
    for name in ENDPOINTS:
        if not isinstance(document.get(name), str):
            raise SignInRefused(Reason.PROVIDER, f"The discovery document has no {name}.")
    for name in (*ENDPOINTS, "userinfo_endpoint"):
        if name in document and not is_safe_scheme(str(document[name])):
            raise SignInRefused(
                Reason.PROVIDER, f"The {name} is not an https:// address: {document[name]}."
            )
    return document


def read_signing_keys(session: requests.Session, address: str) -> list[SigningKey]:
    """The public keys for signatures. Raises SignInRefused."""
    listed = read_json(session, address, "the list of keys").get("keys")
    if not isinstance(listed, list):
        raise SignInRefused(Reason.PROVIDER, f"The answer of {address} has no list of keys.")
    keys = []
    for entry in listed:
        if not isinstance(entry, dict) or entry.get("kty") not in SIGNING_KEY_TYPES:
            continue
        if entry.get("use", "sig") != "sig":
            continue
        try:
            keys.append(SigningKey(str(entry.get("kid", "")), jwt.PyJWK(entry).key))
        except jwt.PyJWTError:
            continue  # of a kind that signs no ID token here; the test counts the others
    if not keys:
        raise SignInRefused(Reason.PROVIDER, f"The list at {address} has no key for signatures.")
    return keys


def read_json(
    session: requests.Session, address: str, title: str, headers: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Get a JSON object. `title` names it in the sentence of an error. Raises SignInRefused."""
    try:
        response = session.get(address, headers={"Accept": "application/json", **(headers or {})})
    except requests.RequestException as error:
        text = str(error)[:MAX_DETAIL_LENGTH].rstrip(".")
        sentence = f"{title[0].upper()}{title[1:]} cannot be read from {address}: {text}."
        raise SignInRefused(Reason.PROVIDER, sentence) from error
    if response.status_code != 200:
        raise SignInRefused(
            Reason.PROVIDER,
            f"{address} answered with status {response.status_code} instead of {title}.",
        )
    try:
        content = response.json()
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise SignInRefused(Reason.PROVIDER, f"The answer of {address} is not {title} in JSON.")
    return content
