"""Which settings of a connector are secrets, and their values."""

from collections.abc import Mapping

from connectors.sdk.connector import Connector
from visibility.ingest.source_secrets import SourceSecret


def separate_secret_settings(
    kind: type[Connector], config: Mapping[str, str]
) -> tuple[dict[str, str], list[SourceSecret]]:
    """Return the settings without the secret ones, and those as secrets to encrypt."""
    names = secret_setting_names(kind)
    secrets = [SourceSecret(config[name], setting=name) for name in sorted(names & config.keys())]
    return {name: text for name, text in config.items() if name not in names}, secrets


def secret_setting_names(kind: type[Connector]) -> set[str]:
    """The names of the settings that are secrets."""
    return {setting.name for setting in kind.settings if setting.is_secret}
