"""A logo is checked up to its last byte, and loses its metadata."""

import itertools

import pytest

from tests.builders.images import JPEG, WEBP, png, png_chunk
from visibility.preferences.customer_brand import MIN_CONTRAST, contrast, text_color
from visibility.preferences.logo_file import InvalidLogo, check_logo

COMMENT = b"\xff\xfe\x00\x08secret"


@pytest.mark.parametrize(("data", "expected"), [(png(), "png"), (JPEG, "jpeg"), (WEBP, "webp")])
def test_formats(data: bytes, expected: str) -> None:
    assert check_logo(data) == (expected, data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GIF89a" + b"\0" * 40,
        b'<svg xmlns="http://www.w3.org/2000/svg"/>',
        b"<html>" + png(),
        png() + b"<script>",
        png()[:-1],
        png(pixels=b"\0" * 5),
        png(pixels=b"\0" * 500_000),
        png(3_000, 1),
        png(0, 4),
        png().replace(b"IDAT", b"IDAX"),
        JPEG + b"more",
        JPEG[:-2],
        JPEG[:30],
        JPEG[:2] + b"\0\0" + JPEG[2:],
        WEBP + b"more",
        WEBP[:-4],
        WEBP.replace(b"VP8 ", b"ANIM"),
        b"RIFF\x04\0\0\0WEBP",
        png() + b"\0" * 40_000,
    ],
)
def test_everything_else_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidLogo):
        check_logo(data)


@pytest.mark.parametrize("size", range(0, len(JPEG), 7))
def test_a_cut_file_is_refused_with_a_sentence(size: int) -> None:
    for data in (png()[:size], JPEG[:size], WEBP[:size]):
        if data not in (png(), WEBP):
            with pytest.raises(InvalidLogo, match=r"[.]$"):
                check_logo(data)


def test_metadata_is_removed() -> None:
    assert check_logo(png(extra=png_chunk(b"tEXt", b"Author\0secret"))) == ("png", png())
    assert check_logo(JPEG[:2] + COMMENT + JPEG[2:]) == ("jpeg", JPEG)
    exif = b"EXIF\x06\0\0\0secret"
    longer = WEBP[:4] + (len(WEBP) - 8 + len(exif)).to_bytes(4, "little") + WEBP[8:] + exif
    assert check_logo(longer) == ("webp", WEBP)


def test_text_can_be_read_on_every_color() -> None:
    steps = range(0, 256, 15)
    for red, green, blue in itertools.product(steps, steps, steps):
        color = f"#{red:02x}{green:02x}{blue:02x}"
        assert contrast(text_color(color), color) >= MIN_CONTRAST
    assert round(contrast("#000000", "#ffffff"), 2) == 21
    assert text_color("#ffee00") == "#000000"
    assert text_color("#0b5cad") == "#ffffff"
