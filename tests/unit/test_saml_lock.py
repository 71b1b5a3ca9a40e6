"""The lock of the optional packages of SAML."""

from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
PACKAGES = {"isodate", "lxml", "python3-saml", "xmlsec"}


def blocks(name: str) -> dict[str, str]:
    """The lines of each package, with its hashes."""
    text = (CHECKOUT / name).read_text()
    lines = text.replace("\\\n", " ").splitlines()
    return {line.partition("==")[0]: " ".join(line.split()) for line in lines}


def test_optional_packages_are_those_that_the_tests_use_and_are_not_installed_by_default() -> None:
    optional, development = blocks("requirements-saml.lock"), blocks("requirements-dev.lock")
    assert set(optional) == PACKAGES
    assert optional == {name: development[name] for name in PACKAGES}
    assert not PACKAGES & set(blocks("requirements.lock"))
