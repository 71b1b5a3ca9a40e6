"""What follows from entered settings: which are encrypted, and whether the source is polled."""

from collections.abc import Mapping

from connectors.sdk.connector import Connector
from visibility.ingest.check_source_settings import secret_setting_names
from visibility.ingest.source_secrets import SourceSecret
from visibility.models.sources_and_messages import reads_sftp_folder


def separate_secret_settings(
    kind: type[Connector], config: Mapping[str, str]
) -> tuple[dict[str, str], list[SourceSecret]]:
    """Return the settings without the secret ones, and those as secrets to encrypt."""
    names = secret_setting_names(kind)
    secrets = [SourceSecret(config[name], setting=name) for name in sorted(names & config.keys())]
    return {name: text for name, text in config.items() if name not in names}, secrets


def is_polling_configured(kind: type[Connector], config: Mapping[str, str]) -> bool:
    """Whether the settings have everything to poll the system, or to read its SFTP folder."""
    return kind(config).is_poll_configured() or reads_sftp_folder(kind, config)
