"""Check a logo byte by byte: PNG, JPEG or WebP without anything before, between or after.

A PNG is decoded. Of a JPEG and a WebP, every segment is read up to the last byte. Metadata, such as
the place where a photo was taken, is removed.
"""

import struct
import zlib
from collections.abc import Iterator

MAX_LOGO_BYTES = 32_000
MAX_SIDE = 2_000
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# What a PNG needs to be shown as it was made.
PNG_CHUNKS = frozenset({b"IHDR", b"PLTE", b"tRNS", b"gAMA", b"sRGB", b"cHRM", b"IDAT", b"IEND"})
PNG_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
JPEG_FRAMES = frozenset({0xC0, 0xC1, 0xC2})
WEBP_IMAGES = frozenset({b"VP8 ", b"VP8L"})
WEBP_CHUNKS = WEBP_IMAGES | {b"VP8X", b"ALPH", b"ICCP"}
NOT_AN_IMAGE = "Choose a PNG, JPEG or WebP image."
DAMAGED = "The image is damaged: save it once more in a graphics program."


class InvalidLogo(ValueError):
    """The file is no logo that a page can show; the text says why."""


def check_logo(data: bytes) -> tuple[str, bytes]:
    """The format and the image without metadata. Raises InvalidLogo."""
    if len(data) > MAX_LOGO_BYTES:
        raise InvalidLogo(f"The image must have at most {MAX_LOGO_BYTES // 1000} kB.")
    readers = ((PNG_SIGNATURE, "png", _png), (b"\xff\xd8\xff", "jpeg", _jpeg))
    try:
        for start, name, read in readers:
            if data.startswith(start):
                return name, read(data)
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return "webp", _webp(data)
    except (struct.error, zlib.error, IndexError) as error:
        raise InvalidLogo(DAMAGED) from error
    raise InvalidLogo(NOT_AN_IMAGE)


def _png(data: bytes) -> bytes:
    chunks = list(_png_chunks(data))
    if chunks[0][0] != b"IHDR" or chunks[-1][0] != b"IEND" or len(chunks[0][1]) != 13:
        raise InvalidLogo(DAMAGED)
    width, height, depth, color, *_, interlace = struct.unpack(">IIBBBBB", chunks[0][1])
    _check_size(width, height)
    if color not in PNG_SAMPLES or depth not in {1, 2, 4, 8, 16}:
        raise InvalidLogo(DAMAGED)
    row = (width * PNG_SAMPLES[color] * depth + 7) // 8 + 1
    # Seven passes of an interlaced image add at most a byte to each of their rows.
    most = row * height + (14 * height + 14 if interlace else 0)
    decoder = zlib.decompressobj()
    pixels = decoder.decompress(
        b"".join(body for kind, body in chunks if kind == b"IDAT"), most + 1
    )
    is_complete = decoder.eof and not decoder.unused_data
    if not is_complete or len(pixels) > most or (not interlace and len(pixels) != most):
        raise InvalidLogo(DAMAGED)
    return PNG_SIGNATURE + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
        if kind in PNG_CHUNKS
    )


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    position = len(PNG_SIGNATURE)
    while position < len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        body = data[position + 8 : position + 8 + length]
        (checksum,) = struct.unpack_from(">I", data, position + 8 + length)
        if len(body) != length or checksum != zlib.crc32(kind + body):
            raise InvalidLogo(DAMAGED)
        yield kind, body
        position += 12 + length
        if kind == b"IEND" and position != len(data):
            raise InvalidLogo(DAMAGED)


def _jpeg(data: bytes) -> bytes:
    result, position, has_frame = bytearray(data[:2]), 2, False
    while True:
        if data[position] != 0xFF:
            raise InvalidLogo(DAMAGED)
        marker = data[position + 1]
        (length,) = struct.unpack_from(">H", data, position + 2)
        segment = data[position : position + 2 + length]
        if length < 2 or len(segment) != 2 + length or marker < 0xC0:
            raise InvalidLogo(DAMAGED)
        if marker in JPEG_FRAMES:
            height, width = struct.unpack_from(">HH", segment, 5)
            _check_size(width, height)
            has_frame = True
        # Comments, and what applications add, but for JFIF, color profile and Adobe's colors.
        if marker != 0xFE and (marker & 0xF0 != 0xE0 or marker in {0xE0, 0xE2, 0xEE}):
            result += segment
        position += 2 + length
        if marker == 0xDA:
            break
    end = data.find(b"\xff\xd9", position)
    if not has_frame or end != len(data) - 2:
        raise InvalidLogo(DAMAGED)
    return bytes(result) + data[position:]


def _webp(data: bytes) -> bytes:
    (size,) = struct.unpack_from("<I", data, 4)
    if size + 8 != len(data):
        raise InvalidLogo(DAMAGED)
    position, images, result = 12, 0, b""
    while position < len(data):
        kind, length = struct.unpack_from("<4sI", data, position)
        body = data[position + 8 : position + 8 + length]
        if len(body) != length:
            raise InvalidLogo(DAMAGED)
        if kind in WEBP_IMAGES:
            _check_size(*_webp_size(kind, body))
            images += 1
        if kind in {b"ANIM", b"ANMF"}:
            raise InvalidLogo("Choose an image without animation.")
        if kind == b"VP8X":
            # Without the signs of metadata.
            body = bytes([body[0] & ~0b1100]) + body[1:]
        if kind in WEBP_CHUNKS:
            result += kind + struct.pack("<I", length) + body + b"\0" * (length % 2)
        position += 8 + length + length % 2
    if images != 1:
        raise InvalidLogo(DAMAGED)
    return b"RIFF" + struct.pack("<I", len(result) + 4) + b"WEBP" + result


def _webp_size(kind: bytes, body: bytes) -> tuple[int, int]:
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", body, 1)
        if body[0] != 0x2F:
            raise InvalidLogo(DAMAGED)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if body[3:6] != b"\x9d\x01\x2a":
        raise InvalidLogo(DAMAGED)
    width, height = struct.unpack_from("<HH", body, 6)
    return width & 0x3FFF, height & 0x3FFF


def _check_size(width: int, height: int) -> None:
    if not 1 <= width <= MAX_SIDE or not 1 <= height <= MAX_SIDE:
        raise InvalidLogo(f"The image must have at most {MAX_SIDE} pixels on each side.")
