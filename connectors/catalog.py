"""All connectors, loaded once."""

from collections.abc import Mapping
from functools import cache

import connectors.systems
from connectors.sdk.connector import Connector
from connectors.sdk.plugin_loader import load_plugins


@cache
def shipped_connectors() -> Mapping[str, type[Connector]]:
    """Return every shipped connector class by its slug."""
    return load_plugins(connectors.systems, Connector, entry="connector")


def connectors_by_slug() -> Mapping[str, type[Connector]]:
    """Return every connector class by its slug."""
    return shipped_connectors()
