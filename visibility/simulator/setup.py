"""The file in which the product says where it is and what its sources' secrets are."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import orjson

from visibility.simulator.sender import Hook
from visibility.simulator.vendors import VENDORS


@dataclass(frozen=True)
class Setup:
    """Where the product is, and how each source signs."""

    url: str
    erp_port: int
    erp_token: str
    hooks: Mapping[str, Hook]


class NoSetup(ValueError):
    """The file is missing or can't be read."""


def read(path: Path) -> Setup:
    """Raises NoSetup with a sentence."""
    try:
        found = orjson.loads(path.read_bytes())
        sources = found["sources"]
        return Setup(
            url=found["url"],
            erp_port=found["erp_port"],
            erp_token=sources["erp"]["secret"],
            hooks={slug: Hook(sources[slug]["hook"], sources[slug]["secret"]) for slug in VENDORS},
        )
    except OSError as error:
        raise NoSetup(
            f"{path}: {error.strerror}. `manage.py demo` writes it; or name one with --setup."
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise NoSetup(f"{path} is not a setup: {type(error).__name__} {error}") from None
