"""XML as values: names, attributes, lists, null, and documents that attack the parser."""

from typing import Any

import pytest

from connectors.sdk.payload import MAX_DEPTH, ParkReason, PayloadError
from connectors.sdk.xml_documents import (
    MAX_ELEMENTS_AND_ATTRIBUTES,
    XmlElement,
    load_xml,
    write_element,
)


def plain(text: str | bytes) -> dict[str, Any]:
    """The root element without its name."""
    value = load_xml(text.encode() if isinstance(text, str) else text).value
    return {name: item for name, item in value.items() if name != "#root"}


def test_attributes_texts_and_repeated_elements() -> None:
    body = "<o id='1'><no> S-1 </no><l n='1'>a</l><l n='2'/><po/><x><![CDATA[<&>]]></x></o>"
    assert plain(body) == {
        "@id": "1",
        "no": {"#text": "S-1"},
        "l": [{"@n": "1", "#text": "a"}, {"@n": "2"}],
        "po": {},
        "x": {"#text": "<&>"},
    }
    assert load_xml(b"<Order/>").value["#root"] == "Order"


def test_prefixes_and_namespaces_are_ignored_and_nil_is_null() -> None:
    body = (
        '<a:o xmlns:a="urn:x" xmlns:b="urn:y" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
        ' b:id="other" id="own"><b:l/><a:l/><po xsi:nil="true"/></a:o>'
    )
    assert plain(body) == {"@id": "own", "l": [{}, {}], "po": None}
    assert load_xml(body.encode()).value["#root"] == "o"


@pytest.mark.parametrize("charset", ["utf-8", "iso-8859-1", "windows-1252", "utf-16"])
def test_the_declared_charset_is_used(charset: str) -> None:
    body = f'<?xml version="1.0" encoding="{charset}"?><o>Müller</o>'.encode(charset)
    assert plain(body) == {"#text": "Müller"}


@pytest.mark.parametrize(
    ("body", "reason", "detail"),
    [
        (b"", ParkReason.EMPTY, "the body is empty"),
        (b"  \n", ParkReason.EMPTY, "the body is empty"),
        (b"<a><b></a>", ParkReason.SYNTAX, "mismatched tag at line 1 column 9"),
        (b"<a/><b/>", ParkReason.SYNTAX, "junk after document element"),
        (b"hello", ParkReason.SYNTAX, "syntax error at line 1 column 1"),
        (b"<a>&x;</a>", ParkReason.SYNTAX, "undefined entity"),
        (b"<a>\0</a>", ParkReason.SYNTAX, "not well-formed"),
        (b"<a>\xff</a>", ParkReason.SYNTAX, "not well-formed"),
        (b'<?xml version="1.0" encoding="x-no"?><a/>', ParkReason.ENCODING, "not supported"),
        (b"<!DOCTYPE a><a/>", ParkReason.SYNTAX, "declares a document type"),
        (b'<!DOCTYPE a SYSTEM "http://x/y.dtd"><a/>', ParkReason.SYNTAX, "document type"),
        (
            b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
            ParkReason.SYNTAX,
            "declares a document type",
        ),
        (
            b'<!DOCTYPE a [<!ENTITY x "xxxxxxxx"><!ENTITY y "&x;&x;&x;&x;&x;&x;">'
            b'<!ENTITY z "&y;&y;&y;&y;&y;&y;">]><a>&z;&z;&z;</a>',
            ParkReason.SYNTAX,
            "declares a document type",
        ),
        (b"<a>" * 65 + b"</a>" * 65, ParkReason.DEPTH, f"nested deeper than {MAX_DEPTH}"),
        (
            b"<a>" + b"<b/>" * MAX_ELEMENTS_AND_ATTRIBUTES + b"</a>",
            ParkReason.SIZE,
            f"more than {MAX_ELEMENTS_AND_ATTRIBUTES} elements",
        ),
        (
            b"<a %b/>" % b" ".join(b'a%d="1"' % i for i in range(MAX_ELEMENTS_AND_ATTRIBUTES)),
            ParkReason.SIZE,
            "elements and attributes",
        ),
        (b"<a><%b/></a>" % (b"n" * 201), ParkReason.SIZE, "a name has more than 200 characters"),
    ],
    ids=lambda value: value[:20].decode("latin-1") if isinstance(value, bytes) else None,
)
def test_invalid_or_dangerous_documents_are_refused(
    body: bytes, reason: ParkReason, detail: str
) -> None:
    with pytest.raises(PayloadError) as caught:
        load_xml(body)
    assert caught.value.reason is reason
    assert detail in caught.value.detail


def test_deep_documents_up_to_the_limit_are_read_and_written() -> None:
    body = b"<a>" * MAX_DEPTH + b"</a>" * MAX_DEPTH
    root = load_xml(body).value
    assert load_xml(write_element("a", root).encode()).value == root


def test_written_elements_read_the_same() -> None:
    body = (
        '<o id="&lt;1&quot;"><no>S &amp; &lt;1&gt;</no><l n="1"/><l>b</l><p><q/></p>'
        '<z a="1">t</z></o>'
    )
    root = load_xml(body.encode()).value
    assert isinstance(root, XmlElement)
    assert load_xml(write_element("o", root).encode()).value == root
