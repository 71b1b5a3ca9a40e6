"""Public RSA keys as PEM or JWKS, and signatures by them."""

import base64
import json

import pytest

from connectors.sdk.auth import InvalidSignature
from connectors.sdk.rsa_signatures import parse_public_keys, verify_rsa_signature
from connectors.sdk.settings import Setting, SettingType, parse_and_check_settings
from tests.builders.rsa_sender import RsaSender, key_set

FIRST, SECOND = RsaSender("first"), RsaSender("second")
SIGNED = b"1700000000.{}"


def is_valid(keys: str, key_id: str, sender: RsaSender, signed: bytes = SIGNED) -> bool:
    signature = base64.b64decode(sender.sign(SIGNED))
    try:
        verify_rsa_signature(parse_public_keys(keys), key_id, signature, signed)
    except InvalidSignature:
        return False
    return True


@pytest.mark.parametrize(
    "keys",
    [
        key_set(FIRST),
        key_set(SECOND, FIRST),
        json.dumps(FIRST.jwk),
        FIRST.pem,
        FIRST.pem.replace("\n", " "),
        SECOND.pem + FIRST.pem,
    ],
)
def test_a_signature_by_a_key_is_accepted_and_by_another_is_not(keys: str) -> None:
    assert is_valid(keys, "first", FIRST)
    assert is_valid(keys, "a key id that is not in the set", FIRST)
    assert not is_valid(keys, "first", FIRST, SIGNED + b" ")
    assert not is_valid(keys, "first", RsaSender("first"))


def test_only_the_named_key_of_a_key_set_counts() -> None:
    assert not is_valid(key_set(FIRST, SECOND), "second", FIRST)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("hello", "Enter public RSA keys"),
        ("{", "not valid JSON"),
        ('{"keys": 7}', "no list of keys"),
        ('{"keys": []}', "Enter public RSA keys"),
        ('{"keys": [{"kty": "RSA", "n": "AQAB"}]}', "invalid"),
        ('{"keys": [{"kty": "RSA", "n": 7, "e": "AQAB"}]}', "invalid"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "not a public key"),
        (RsaSender("short", 1024).pem, "1024 bits"),
        ("x" * 20_001, "longer than 20000"),
    ],
)
def test_keys_that_cannot_be_used_are_refused_where_they_are_entered(
    text: str, sentence: str
) -> None:
    setting = Setting("public_keys", "The keys.", SettingType.PUBLIC_KEYS)
    (error,) = parse_and_check_settings([setting], {"public_keys": text}).errors
    assert sentence in error.sentence
