"""Signatures and tokens: raw bytes, several secrets, constant-time comparison."""

import base64
import hmac
from datetime import UTC, datetime, timedelta

import pytest

from connectors.sdk.auth import (
    MAX_CLOCK_SKEW,
    InvalidSignature,
    bearer_token,
    build_bearer_header,
    check_base64_signature,
    check_hex_signature,
    check_hmac_digest,
    check_timestamp,
    check_token_matches_a_secret,
    hmac_sha256,
)

OLD, NEW = b"a secret of the week before last", b"a secret of this very week"
BODY = '{"name": "Größe"}\n'.encode()


def test_digest_matches_the_published_test_vector() -> None:
    # RFC 4231, test case 2.
    assert hmac_sha256(b"Jefe", b"what do ya want for nothing?").hex() == (
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    )


@pytest.mark.parametrize(("secret", "other"), [(OLD, NEW), (NEW, OLD)])
def test_every_active_secret_is_accepted_during_rotation(secret: bytes, other: bytes) -> None:
    digest = hmac_sha256(secret, BODY)
    for check, signature in (
        (check_base64_signature, base64.b64encode(digest).decode()),
        (check_hex_signature, digest.hex()),
        (check_hex_signature, digest.hex().upper()),
    ):
        check(signature, [OLD, NEW], BODY)
        with pytest.raises(InvalidSignature):
            check(signature, [other], BODY)


def test_a_removed_secret_is_rejected() -> None:
    with pytest.raises(InvalidSignature):
        check_hex_signature(hmac_sha256(OLD, BODY).hex(), [NEW], BODY)
    with pytest.raises(InvalidSignature):
        check_hex_signature(hmac_sha256(OLD, BODY).hex(), [], BODY)


@pytest.mark.parametrize("index", [0, len(BODY) // 2, -1])
def test_a_single_changed_bit_is_rejected(index: int) -> None:
    other = bytearray(BODY)
    other[index] ^= 1
    with pytest.raises(InvalidSignature):
        check_hmac_digest(hmac_sha256(NEW, BODY), [NEW], bytes(other))


@pytest.mark.parametrize(
    "given", ["", "größe", "�", "===", "AAAA", "x" * 100_000, "é" * 44, "none", "\0"]
)
def test_any_garbage_in_the_header_is_rejected(given: str) -> None:
    for check in (check_base64_signature, check_hex_signature):
        with pytest.raises(InvalidSignature):
            check(given, [NEW], BODY)
    with pytest.raises(InvalidSignature):
        check_token_matches_a_secret(given, [NEW])


def test_a_digest_of_another_length_is_rejected() -> None:
    digest = hmac_sha256(NEW, BODY)
    for given in (digest[:-1], digest + b"\0", b""):
        with pytest.raises(InvalidSignature):
            check_hmac_digest(given, [NEW], BODY)


def test_all_secrets_are_compared_even_after_a_match(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compared: list[bytes] = []
    real = hmac.compare_digest

    def counted(given: bytes, expected: bytes) -> bool:
        compared.append(expected)
        return real(given, expected)

    monkeypatch.setattr(hmac, "compare_digest", counted)
    check_hmac_digest(hmac_sha256(OLD, BODY), [OLD, NEW], BODY)
    check_token_matches_a_secret(OLD.decode(), [OLD, NEW])
    assert compared == [hmac_sha256(OLD, BODY), hmac_sha256(NEW, BODY), OLD, NEW]


def test_a_token_must_equal_the_secret() -> None:
    check_token_matches_a_secret(NEW.decode(), [OLD, NEW])
    for given in (NEW.decode()[:-1], NEW.decode() + " ", NEW.decode().upper()):
        with pytest.raises(InvalidSignature):
            check_token_matches_a_secret(given, [OLD, NEW])


@pytest.mark.parametrize(
    ("authorization", "token"),
    [
        ("Bearer abc", "abc"),
        ("bearer  abc ", "abc"),
        ("Bearer", ""),
        ("Bearer ", ""),
        ("Basic abc", ""),
        ("abc", ""),
        ("", ""),
    ],
)
def test_token_is_read_from_a_bearer_header_only(authorization: str, token: str) -> None:
    assert bearer_token({"authorization": authorization}) == token


def test_bearer_header_contains_the_token() -> None:
    assert bearer_token(build_bearer_header(NEW)) == NEW.decode()
    assert bearer_token({}) == ""


def test_a_timestamp_is_accepted_within_five_minutes() -> None:
    now = datetime(2026, 3, 4, tzinfo=UTC)
    for stamp in (now, now - MAX_CLOCK_SKEW, now + MAX_CLOCK_SKEW):
        check_timestamp(stamp, now)
    for off in (MAX_CLOCK_SKEW + timedelta(seconds=1), timedelta(minutes=10)):
        for stamp in (now - off, now + off):
            with pytest.raises(InvalidSignature):
                check_timestamp(stamp, now)
