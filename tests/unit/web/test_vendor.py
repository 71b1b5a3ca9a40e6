"""Vendored files are unmodified, licensed, and consistent with the templates."""

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


def test_vendored_files_match_sha256sums() -> None:
    files = [path for path in VENDOR.rglob("*") if path.is_file() and path.name != "SHA256SUMS"]
    hashes = {
        str(path.relative_to(VENDOR)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }
    assert hashes == listed()


def test_each_vendored_folder_has_a_license() -> None:
    for folder in (path for path in VENDOR.iterdir() if path.is_dir()):
        text = (folder / "LICENSE").read_text()
        assert "MIT" in text or "SIL Open Font License" in text, folder.name
    assert "MIT License" in (VENDOR / "tabler-icons-LICENSE").read_text()


def test_vendored_plotly_js_matches_plotly_py() -> None:
    version = get_plotlyjs_version()
    script = VENDOR / f"plotly.js-cartesian-dist-min-{version}" / "plotly-cartesian.min.js"
    assert f"v{version}" in script.read_text()[:500]


def test_style_sheets_reference_only_vendored_files() -> None:
    for sheet in STATIC.rglob("*.css"):
        text = sheet.read_text()
        assert "sourceMappingURL" not in text, sheet.name
        for address in re.findall(r"url\(\s*[\"']?([^\"')\s]+)", text):
            vendored = (sheet.parent / address).resolve()
            is_vendored = vendored.is_relative_to(VENDOR) and vendored.is_file()
            assert address.startswith(("data:", "#")) or is_vendored, (sheet.name, address)


def test_icons_of_templates_exist_in_sprite() -> None:
    icons = set(re.findall(r'<symbol id="([^"]+)"', (STATIC / "icons.svg").read_text()))
    assert {"ok", "running", "waiting", "risk", "late", "unknown"} <= icons
    for page in (Path(settings.BASE_DIR) / "templates").rglob("*.html"):
        named = set(re.findall(r'"icon\.html" with name="([^"]+)"', page.read_text()))
        assert named <= icons, (page.name, named - icons)
