"""The systems on the shelf, loaded once."""

from collections.abc import Mapping
from functools import cache

import connectors.systems
from connectors.sdk.connector import Connector
from connectors.sdk.registry import load


@cache
def systems() -> Mapping[str, type[Connector]]:
    """Every connector by its slug."""
    return load(connectors.systems, Connector, entry="connector")
