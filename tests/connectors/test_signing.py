"""Signatures: over the bytes as they came, by any secret in use, and nothing else passes."""

import base64
import hmac
from datetime import UTC, datetime, timedelta

import pytest

from connectors.sdk.auth import (
    TOLERANCE,
    Unauthentic,
    check_base64,
    check_digest,
    check_fresh,
    check_hex,
    check_token,
    hmac_sha256,
)

OLD, NEW = b"a secret of the week before last", b"a secret of this very week"
BODY = '{"name": "Größe"}\n'.encode()


def test_the_digest_is_that_of_the_published_vector() -> None:
    # RFC 4231, test case 2.
    assert hmac_sha256(b"Jefe", b"what do ya want for nothing?").hex() == (
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    )


@pytest.mark.parametrize("secret", [OLD, NEW])
def test_every_secret_in_use_counts_while_they_rotate(secret: bytes) -> None:
    made = hmac_sha256(secret, BODY)
    check_base64(base64.b64encode(made).decode(), [OLD, NEW], BODY)
    check_hex(made.hex(), [OLD, NEW], BODY)
    check_hex(made.hex().upper(), [OLD, NEW], BODY)


def test_a_secret_taken_out_of_use_counts_no_more() -> None:
    with pytest.raises(Unauthentic):
        check_hex(hmac_sha256(OLD, BODY).hex(), [NEW], BODY)
    with pytest.raises(Unauthentic):
        check_hex(hmac_sha256(OLD, BODY).hex(), [], BODY)


@pytest.mark.parametrize("place", [0, len(BODY) // 2, -1])
def test_one_bit_of_the_body_is_enough_to_refuse(place: int) -> None:
    other = bytearray(BODY)
    other[place] ^= 1
    with pytest.raises(Unauthentic):
        check_digest(hmac_sha256(NEW, BODY), [NEW], bytes(other))


@pytest.mark.parametrize(
    "given", ["", "größe", "�", "===", "AAAA", "x" * 100_000, "é" * 44, "none", "\0"]
)
def test_whatever_stands_in_the_header_is_refused_and_breaks_nothing(given: str) -> None:
    for check in (check_base64, check_hex):
        with pytest.raises(Unauthentic):
            check(given, [NEW], BODY)
    with pytest.raises(Unauthentic):
        check_token(given, [NEW])


def test_a_digest_cut_short_or_made_longer_is_refused() -> None:
    made = hmac_sha256(NEW, BODY)
    for given in (made[:-1], made + b"\0", b""):
        with pytest.raises(Unauthentic):
            check_digest(given, [NEW], BODY)


def test_every_secret_is_compared_even_after_one_matched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compared: list[bytes] = []
    real = hmac.compare_digest

    def counted(one: bytes, other: bytes) -> bool:
        compared.append(other)
        return real(one, other)

    monkeypatch.setattr(hmac, "compare_digest", counted)
    check_digest(hmac_sha256(OLD, BODY), [OLD, NEW], BODY)
    check_token(OLD.decode(), [OLD, NEW])
    assert compared == [hmac_sha256(OLD, BODY), hmac_sha256(NEW, BODY), OLD, NEW]


def test_a_token_must_be_the_whole_secret() -> None:
    check_token(NEW.decode(), [OLD, NEW])
    for given in (NEW.decode()[:-1], NEW.decode() + " ", NEW.decode().upper()):
        with pytest.raises(Unauthentic):
            check_token(given, [OLD, NEW])


def test_a_signed_time_counts_five_minutes_before_and_after() -> None:
    now = datetime(2026, 3, 4, tzinfo=UTC)
    for stamp in (now, now - TOLERANCE, now + TOLERANCE):
        check_fresh(stamp, now)
    for off in (TOLERANCE + timedelta(seconds=1), timedelta(minutes=10)):
        for stamp in (now - off, now + off):
            with pytest.raises(Unauthentic):
                check_fresh(stamp, now)
