"""Templates only refer to static files that exist: with hashed names, the page would fail."""

import re

from visibility.launcher.instance_lock_and_environment import CHECKOUT

REFERENCE = re.compile(r"{% static ['\"]([^'\"]+)['\"]")
OF_PACKAGES = {"mfa/js/webauthn-json.js"}


def test_every_static_file_that_a_template_names_exists() -> None:
    missing = {
        f"{name} in {file.relative_to(CHECKOUT)}"
        for file in (CHECKOUT / "templates").rglob("*.html")
        for name in REFERENCE.findall(file.read_text())
        if name not in OF_PACKAGES and not (CHECKOUT / "static" / name).is_file()
    }
    assert sorted(missing) == []
