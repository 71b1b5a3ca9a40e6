"""Texts of a drafted manifest: YAML scalars and placeholders."""

import re


def placeholder(path: str) -> str:
    """A placeholder of a template. `{@name}` would be a text of the event."""
    return f"{{.{path}}}" if path.startswith("@") else f"{{{path}}}"


def quote_yaml(text: str) -> str:
    """Return text as a YAML scalar; quoted unless it is plain."""
    if re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    for char, code in (("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t")):
        escaped = escaped.replace(char, code)
    return f'"{escaped}"'
