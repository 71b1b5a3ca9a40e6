"""The systems on the shelf, loaded once."""

from collections.abc import Mapping
from functools import cache

import connectors.systems
from connectors.base import Connector
from connectors.plugins import load


@cache
def systems() -> Mapping[str, type[Connector]]:
    """Every connector by its slug."""
    return load(connectors.systems, Connector)
