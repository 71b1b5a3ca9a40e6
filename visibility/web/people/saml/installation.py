"""Whether the optional packages of SAML are installed. Their modules are imported only then."""

from importlib.util import find_spec

PACKAGES = ("lxml", "onelogin", "xmlsec")
INSTALL_COMMAND = (
    ".venv/bin/python -m pip install --require-hashes --no-deps --only-binary :all: "
    "-r requirements-saml.lock"
)


def is_saml_installed() -> bool:
    """Whether the packages of `requirements-saml.lock` can be imported."""
    return all(find_spec(package) is not None for package in PACKAGES)
