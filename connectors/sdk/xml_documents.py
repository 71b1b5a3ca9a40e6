"""Read untrusted XML as values with paths, and write such values as XML.

An element becomes an `XmlElement`: its attributes as `@name`, its text as `#text`, its elements by
their name. Elements that repeat are a list. Names are local: prefixes and namespaces are ignored.
The root also has `#root`, its name. An element with `xsi:nil="true"` is null.

The parser is the expat of Python. A document type declaration is refused as soon as it begins, so
that no entity is ever declared, expanded or loaded.
"""

from typing import Any
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from connectors.sdk.payload import MAX_DEPTH, Node, ParkReason, PayloadError
from connectors.sdk.read_paths import RecordingMembers, recording

MAX_ELEMENTS_AND_ATTRIBUTES = 200_000
MAX_NAME = 200
TEXT_MEMBER, ROOT_MEMBER = "#text", "#root"
# Expat writes a name in a namespace as the namespace, this sign and the local name.
NAMESPACE_SEPARATOR = " "
SCHEMA_INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"
NIL = f"{SCHEMA_INSTANCE}{NAMESPACE_SEPARATOR}nil"


class XmlElement(dict[str, Any]):
    """An element: `@name` are attributes, `#text` is its text, other members are elements."""

    __slots__ = ()

    @property
    def has_elements(self) -> bool:
        """Whether it contains elements, and not only text."""
        return any(name[0] not in "@#" for name in self)


class _RecordingElement(RecordingMembers, XmlElement):
    """An element that records the reads of its members."""

    __slots__ = ()


def text_node_of_element(node: Node) -> Node:
    """Return the text of an element without elements; any other node unchanged."""
    value = node.value
    if isinstance(value, XmlElement) and not value.has_elements:
        return node.get(TEXT_MEMBER)
    return node


def is_blank_element(value: object, blank: frozenset[str]) -> bool:
    """Whether this is an element without content, or with a text that means no value."""
    return isinstance(value, XmlElement) and (
        not value or (value.keys() == {TEXT_MEMBER} and value[TEXT_MEMBER].strip() in blank)
    )


def load_xml(body: bytes) -> Node:
    """Parse `body` as a single XML document, and return its root element.

    Raises PayloadError with reason empty, syntax, depth or size.
    """
    if not body.strip():
        raise PayloadError(ParkReason.EMPTY, "", "the body is empty")
    reader = _ElementReader()
    try:
        reader.parser.Parse(body.lstrip(b" \t\r\n"), True)
    except expat.ExpatError as error:
        position = f"line {error.lineno} column {error.offset + 1}"
        detail = f"{expat.ErrorString(error.code)} at {position}"
        raise PayloadError(ParkReason.SYNTAX, "", detail) from None
    except PayloadError:
        raise
    except (LookupError, ValueError):
        detail = "the charset that the document declares is not supported"
        raise PayloadError(ParkReason.ENCODING, "", detail) from None
    return Node(recording(reader.root, _RecordingElement), "", [False])


def write_element(name: str, value: Any) -> str:
    """Write an element as XML with local names; `load_xml` reads the same values from it."""
    if isinstance(value, list):
        return "".join(write_element(name, item) for item in value)
    if not isinstance(value, dict):
        text = "" if value is None else escape(str(value))
        return f"<{name}>{text}</{name}>" if text else f"<{name}/>"
    attributes = "".join(
        f" {key[1:]}={quoteattr(text)}" for key, text in value.items() if key.startswith("@")
    )
    content = escape(value.get(TEXT_MEMBER, "")) + "".join(
        write_element(key, item) for key, item in value.items() if key[0] not in "@#"
    )
    return f"<{name}{attributes}>{content}</{name}>" if content else f"<{name}{attributes}/>"


class _ElementReader:
    """Expat handlers that build the elements, with limits on depth, number and names."""

    def __init__(self) -> None:
        self.root = XmlElement()
        self._open: list[tuple[str, XmlElement, list[str], bool]] = []
        self._count = 0
        self.parser = expat.ParserCreate(namespace_separator=NAMESPACE_SEPARATOR)
        self.parser.buffer_text = True
        self.parser.StartDoctypeDeclHandler = _refuse_document_type
        self.parser.StartElementHandler = self._start_element
        self.parser.EndElementHandler = self._end_element
        self.parser.CharacterDataHandler = self._add_text

    def _start_element(self, name: str, attributes: dict[str, str]) -> None:
        self._count += 1 + len(attributes)
        if self._count > MAX_ELEMENTS_AND_ATTRIBUTES:
            detail = f"more than {MAX_ELEMENTS_AND_ATTRIBUTES} elements and attributes"
            raise PayloadError(ParkReason.SIZE, "", detail)
        if len(self._open) >= MAX_DEPTH:
            raise PayloadError(ParkReason.DEPTH, "", f"nested deeper than {MAX_DEPTH}")
        is_null = attributes.pop(NIL, "").strip() in {"true", "1"}
        element = XmlElement()
        # Of two attributes with one local name, the first without a namespace decides.
        for key in sorted(attributes, key=lambda key: NAMESPACE_SEPARATOR in key):
            element.setdefault(f"@{_local_name(key)}", attributes[key])
        self._open.append((_local_name(name), element, [], is_null))

    def _add_text(self, text: str) -> None:
        self._open[-1][2].append(text)

    def _end_element(self, _name: str) -> None:
        name, element, texts, is_null = self._open.pop()
        if text := "".join(texts).strip():
            element[TEXT_MEMBER] = text
        if not self._open:
            element[ROOT_MEMBER] = name
            self.root = element
            return
        outer = self._open[-1][1]
        value = None if is_null else element
        if name not in outer:
            outer[name] = value
        elif isinstance(outer[name], list):
            outer[name].append(value)
        else:
            outer[name] = [outer[name], value]


def _local_name(name: str) -> str:
    local = name.rpartition(NAMESPACE_SEPARATOR)[2]
    if len(local) > MAX_NAME:
        raise PayloadError(ParkReason.SIZE, "", f"a name has more than {MAX_NAME} characters")
    return local


def _refuse_document_type(*_: object) -> None:
    detail = "the document declares a document type (DOCTYPE), which is not allowed"
    raise PayloadError(ParkReason.SYNTAX, "", detail)
