"""Decompression of gzip bodies in several members, with limits on size and members."""

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from connectors.sdk.payload import ParkReason, PayloadError
from visibility.ingest import decompress_gzip as module
from visibility.ingest.decompress_gzip import (
    BLOCK_BYTES,
    MAX_MEMBERS,
    decompress_body_if_gzip,
    decompressed_blocks,
)

GZIP = {"content-encoding": "gzip"}
MAX_BYTES = 4 * BLOCK_BYTES


def reason_of(body: bytes, max_bytes: int = MAX_BYTES) -> ParkReason:
    with pytest.raises(PayloadError) as caught:
        list(decompressed_blocks(body, max_bytes=max_bytes))
    return caught.value.reason


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=MAX_MEMBERS), st.integers(1, 40))
def test_members_are_joined_in_order_for_any_block_size(members: list[bytes], block: int) -> None:
    body = b"".join(map(gzip.compress, members))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK_BYTES", block)
        blocks = list(decompressed_blocks(body, max_bytes=MAX_BYTES))
    assert b"".join(blocks) == b"".join(members)
    assert all(len(piece) <= block for piece in blocks)


@pytest.mark.parametrize("size", [0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, MAX_BYTES])
def test_body_up_to_the_limit_is_complete(size: int) -> None:
    body = gzip.compress(b"x" * size)
    assert sum(map(len, decompressed_blocks(body, max_bytes=MAX_BYTES))) == size
    if size:
        assert reason_of(body, size - 1) is ParkReason.SIZE


def test_limit_applies_to_all_members_together() -> None:
    assert reason_of(gzip.compress(b"x" * 600) * 2, 1_000) is ParkReason.SIZE


def test_bomb_is_inflated_no_further_than_one_block_beyond_the_limit() -> None:
    blocks = decompressed_blocks(gzip.compress(b"0" * 50_000_000), max_bytes=MAX_BYTES)
    assert [len(next(blocks)) for _ in range(4)] == [BLOCK_BYTES] * 4
    with pytest.raises(PayloadError):
        next(blocks)


def test_truncated_or_corrupt_body_is_rejected_at_any_length() -> None:
    body = gzip.compress(b"content" * 50)
    for length in range(len(body)):
        assert reason_of(body[:length]) is ParkReason.SYNTAX
    assert reason_of(body + b"xx") is ParkReason.SYNTAX
    assert reason_of(b"{}") is ParkReason.SYNTAX


def test_more_members_than_allowed_are_rejected_without_inflating_them() -> None:
    bomb = gzip.compress(b"0" * 50_000_000)
    members = gzip.compress(b"") * MAX_MEMBERS
    assert b"".join(decompressed_blocks(members, max_bytes=MAX_BYTES)) == b""
    assert reason_of(members + bomb) is ParkReason.SYNTAX


def test_setting_limits_what_is_parsed_as_well(settings: Settings) -> None:
    body = gzip.compress(b"x" * 12_000_000)
    with pytest.raises(PayloadError, match="10,485,760 bytes"):
        decompress_body_if_gzip(body, GZIP)
    settings.MAX_INFLATED = 12_000_000
    assert len(decompress_body_if_gzip(body, GZIP)) == 12_000_000


def test_body_without_gzip_encoding_is_unchanged() -> None:
    packed = gzip.compress(b"{}")
    assert decompress_body_if_gzip(packed, {}) == packed
    assert decompress_body_if_gzip(packed, {"content-encoding": " X-GZip "}) == b"{}"
