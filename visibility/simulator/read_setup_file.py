"""Read the setup file: the product's address and the secrets of its sources."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import orjson

from visibility.simulator.sender import WebhookPathAndSecret
from visibility.simulator.vendors import VENDORS


@dataclass(frozen=True)
class SimulatorSetup:
    """The product's address, and the webhook and secret of each source."""

    url: str
    erp_port: int
    erp_token: str
    hooks: Mapping[str, WebhookPathAndSecret]


class SetupError(ValueError):
    """The setup file is missing or invalid."""


def load_setup(path: Path) -> SimulatorSetup:
    """Read the file. Raises SetupError with a message for the user."""
    try:
        content = orjson.loads(path.read_bytes())
        sources = content["sources"]
        return SimulatorSetup(
            url=content["url"],
            erp_port=content["erp_port"],
            erp_token=sources["erp"]["secret"],
            hooks={
                slug: WebhookPathAndSecret(sources[slug]["hook"], sources[slug]["secret"])
                for slug in VENDORS
            },
        )
    except OSError as error:
        raise SetupError(
            f"{path}: {error.strerror}. Run `manage.py demo` to create it, or pass --setup."
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise SetupError(
            f"{path} is not a valid setup file: {type(error).__name__}: {error}"
        ) from None
