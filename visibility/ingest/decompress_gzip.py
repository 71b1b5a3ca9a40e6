"""Decompress gzip bodies, with limits on their size and on the number of gzip members."""

import zlib
from collections.abc import Iterator, Mapping

from django.conf import settings

from connectors.sdk.payload import ParkReason, PayloadError

GZIP_CODINGS = frozenset({"gzip", "x-gzip"})
# A sender that compresses in pieces needs a few members. Each member costs time, however small.
MAX_MEMBERS = 16
BLOCK_BYTES = 1_048_576


def decompress_body_if_gzip(body: bytes, headers: Mapping[str, str]) -> bytes:
    """Return the body without its content encoding.

    Messages are stored as received, because signatures cover the compressed bytes. Raises
    PayloadError if the body is not valid gzip or is too large.
    """
    if not _is_gzip(headers):
        return body
    return b"".join(decompressed_blocks(body, max_bytes=settings.MAX_INFLATED))


def decompressed_size(body: bytes, headers: Mapping[str, str]) -> int:
    """The bytes of the body without its content encoding, up to the first error in it."""
    if not _is_gzip(headers):
        return len(body)
    size = 0
    try:
        for block in decompressed_blocks(body, max_bytes=settings.MAX_INFLATED):
            size += len(block)
    except PayloadError as error:
        return settings.MAX_INFLATED if error.reason is ParkReason.SIZE else size
    return size


def decompressed_blocks(body: bytes, *, max_bytes: int) -> Iterator[bytes]:
    """Yield the content of a gzip body in blocks, so that memory use is constant.

    Raises PayloadError: SIZE beyond `max_bytes`; SYNTAX if the body is not valid gzip, is
    truncated, or has too many members.
    """
    size, remainder = 0, body
    for _ in range(MAX_MEMBERS):  # a gzip stream may consist of several members
        inflater = zlib.decompressobj(wbits=31)
        while not inflater.eof:
            block = _decompress_next_block(inflater, remainder)
            size += len(block)
            if size > max_bytes:
                detail = f"the decompressed body is larger than {max_bytes:,} bytes"
                raise PayloadError(ParkReason.SIZE, "", detail)
            yield block
            remainder = inflater.unconsumed_tail
        remainder = inflater.unused_data
        if not remainder:
            return
    detail = f"the gzip body has more than {MAX_MEMBERS} members"
    raise PayloadError(ParkReason.SYNTAX, "", detail)


def _is_gzip(headers: Mapping[str, str]) -> bool:
    return headers.get("content-encoding", "").strip().lower() in GZIP_CODINGS


def _decompress_next_block(inflater: "zlib._Decompress", remainder: bytes) -> bytes:
    try:
        block = inflater.decompress(remainder, BLOCK_BYTES)
    except zlib.error:
        detail = "the header says gzip, but the body is not valid gzip"
        raise PayloadError(ParkReason.SYNTAX, "", detail) from None
    if not (block or inflater.eof):
        raise PayloadError(ParkReason.SYNTAX, "", "the gzip body is truncated")
    return block
