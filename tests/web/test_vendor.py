"""The files of others are what they were when they were taken."""

import hashlib
import re
from pathlib import Path

from django.conf import settings
from plotly.offline import get_plotlyjs_version  # type: ignore[import-untyped]  # no types

STATIC = Path(settings.BASE_DIR) / "static"
VENDOR = STATIC / "vendor"


def listed() -> dict[str, str]:
    lines = (VENDOR / "SHA256SUMS").read_text().splitlines()
    return {name: digest for digest, name in (line.split("  ", 1) for line in lines)}


def test_each_vendored_file_has_the_listed_hash_and_none_is_unlisted() -> None:
    files = [path for path in VENDOR.rglob("*") if path.is_file() and path.name != "SHA256SUMS"]
    found = {
        str(path.relative_to(VENDOR)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }
    assert found == listed()


def test_each_vendored_folder_carries_its_licence() -> None:
    for folder in (path for path in VENDOR.iterdir() if path.is_dir()):
        assert "MIT" in (folder / "LICENSE").read_text(), folder.name
    assert "MIT License" in (VENDOR / "tabler-icons-LICENSE").read_text()


def test_charts_are_drawn_by_the_plotly_that_made_them() -> None:
    version = get_plotlyjs_version()
    script = VENDOR / f"plotly.js-cartesian-dist-min-{version}" / "plotly-cartesian.min.js"
    assert f"v{version}" in script.read_text()[:500]


def test_style_sheets_ask_for_no_file_that_is_not_here() -> None:
    for sheet in STATIC.rglob("*.css"):
        text = sheet.read_text()
        assert "sourceMappingURL" not in text, sheet.name
        for address in re.findall(r"url\(\s*[\"']?([^\"')\s]+)", text):
            assert address.startswith(("data:", "#")), (sheet.name, address)


def test_each_icon_a_template_names_is_in_the_sprite() -> None:
    icons = set(re.findall(r'<symbol id="([^"]+)"', (STATIC / "icons.svg").read_text()))
    assert {"ok", "running", "waiting", "risk", "late", "unknown"} <= icons
    for page in (Path(settings.BASE_DIR) / "templates").rglob("*.html"):
        named = set(re.findall(r'"icon\.html" with name="([^"]+)"', page.read_text()))
        assert named <= icons, (page.name, named - icons)
