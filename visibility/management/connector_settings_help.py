"""The settings of every connector, for the help of `source add`."""

from connectors.catalog import connectors_by_slug
from visibility.ingest.check_source_settings import connector_and_common_settings


def connector_settings_help_text() -> str:
    """Return the names, types and explanations of the settings, by connector."""
    lines = []
    for code, kind in sorted(connectors_by_slug().items()):
        lines.append(f"settings of {code} ({kind.title}):")
        for setting in connector_and_common_settings(kind):
            needed = ", required" if setting.required else ""
            default = f", default {setting.default}" if setting.default else ""
            lines.append(f"  {setting.name} ({setting.type_description}{needed}{default})")
            lines.append(f"      {setting.help}")
    return "\n".join(lines)
