"""Read the setup file: the product's address and the secrets of its sources."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import orjson

from visibility.simulator.erp_landscape import CUT_OVER_DAYS, ErpChoice, ErpLandscape
from visibility.simulator.sender import WebhookPathAndSecret
from visibility.simulator.vendors import VENDORS


class SimulatedErpAccess(NamedTuple):
    """The port on which a simulated ERP listens, and the secret of its source."""

    port: int
    secret: str


@dataclass(frozen=True)
class SimulatorSetup:
    """The product's address, the ERPs by source, and the webhook and secret of other sources.

    `cut_over_days`: how long before the start a second ERP replaced the first one.
    """

    url: str
    erps: Mapping[str, SimulatedErpAccess]
    erp: ErpChoice
    cut_over_days: int
    hooks: Mapping[str, WebhookPathAndSecret]


class SetupError(ValueError):
    """The setup file is missing or invalid."""


def load_setup(path: Path) -> SimulatorSetup:
    """Read the file. Raises SetupError with a message for the user."""
    try:
        content = orjson.loads(path.read_bytes())
        sources = content["sources"]
        choice = ErpChoice(content.get("erp", ErpChoice.BUSINESS_CENTRAL))
        return SimulatorSetup(
            url=content["url"],
            erps={
                slug: SimulatedErpAccess(content[f"{slug}_port"], sources[slug]["secret"])
                for slug in ErpLandscape(choice).system_by_source
            },
            erp=choice,
            cut_over_days=int(content.get("cut_over_days", CUT_OVER_DAYS)),
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
