"""Read YAML from a stranger: text scalars, no aliases, no duplicate keys, limited size."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from connectors.sdk.manifest.problems import (
    InvalidManifest,
    ManifestProblem,
    Position,
    format_position,
)

MAX_BYTES = 262_144
MAX_NESTING = 20
# libyaml is ten times as fast; PyYAML has it where it was built with it.
FAST_LOADER: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


@dataclass(frozen=True, slots=True)
class YamlDocument:
    """The content as dicts, lists and texts, and the line of every value."""

    content: Any
    lines: Mapping[Position, int]


def read_yaml(text: str | bytes) -> YamlDocument:
    """Read one YAML document. Raises InvalidManifest."""
    body = text.encode() if isinstance(text, str) else text
    if len(body) > MAX_BYTES:
        raise _invalid_manifest_error(f"the file is larger than {MAX_BYTES} bytes", 0)
    try:
        decoded = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _invalid_manifest_error(f"the file is not UTF-8 at byte {error.start}", 0) from None
    try:
        root = _read_root_node(decoded)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise _invalid_manifest_error(
            f"not valid YAML: {error.problem or error.context}", line
        ) from None
    except yaml.YAMLError:
        raise _invalid_manifest_error(
            "the file contains characters that YAML does not allow", 0
        ) from None
    if root is None:
        raise _invalid_manifest_error("the file is empty", 0)
    lines: dict[Position, int] = {}
    return YamlDocument(_convert_yaml_node_and_note_lines(root, (), lines), lines)


def _read_root_node(text: str) -> Any:
    """Return the root node, or None. Errors are those of PyYAML's own loader, with their lines."""
    try:
        return _compose(text, FAST_LOADER)
    except yaml.YAMLError:
        return _compose(text, yaml.BaseLoader)


def _compose(text: str, loader_class: Any) -> Any:
    _refuse_aliases_and_nesting(text, loader_class)
    loader = loader_class(text)
    try:
        return loader.get_single_node()
    finally:
        loader.dispose()


def _refuse_aliases_and_nesting(text: str, loader_class: Any) -> None:
    """Aliases can multiply a small file into a huge document; deep nesting exhausts the stack."""
    nesting = 0
    for event in yaml.parse(text, Loader=loader_class):
        line = event.start_mark.line + 1 if event.start_mark else 0
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise _invalid_manifest_error("anchors and aliases are not allowed", line)
        if isinstance(event, yaml.CollectionStartEvent):
            nesting += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            nesting -= 1
        if nesting > MAX_NESTING:
            raise _invalid_manifest_error(f"nested deeper than {MAX_NESTING}", line)


def _convert_yaml_node_and_note_lines(
    node: yaml.Node, position: Position, lines: dict[Position, int]
) -> Any:
    lines[position] = node.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode):
        return [
            _convert_yaml_node_and_note_lines(item, (*position, i), lines)
            for i, item in enumerate(node.value)
        ]
    if not isinstance(node, yaml.MappingNode):
        return str(node.value)
    members: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = key_node.value
        line = key_node.start_mark.line + 1
        if not isinstance(key, str):
            raise _invalid_manifest_error("a key must be text", line, position)
        if key in members:
            raise _invalid_manifest_error(f"the key {key!r} appears twice", line, position)
        members[key] = _convert_yaml_node_and_note_lines(value_node, (*position, key), lines)
        lines[(*position, key)] = line
    return members


def _invalid_manifest_error(sentence: str, line: int, position: Position = ()) -> InvalidManifest:
    return InvalidManifest([ManifestProblem(format_position(position), line, sentence)])
