"""All connectors, loaded once."""

from collections.abc import Mapping
from functools import cache

import connectors.systems
from connectors.sdk.connector import Connector
from connectors.sdk.registry import load_plugins


@cache
def systems() -> Mapping[str, type[Connector]]:
    """Return every connector class by its slug."""
    return load_plugins(connectors.systems, Connector, entry="connector")
