"""The dedupe key of an X12 file: equal for a file that is sent again, different for other files."""

import hashlib
import re

from connectors.sdk.payload import PayloadError
from connectors.sdk.x12_segments import Segment, detect_delimiters, read_isa


def dedupe_key_if_single_interchange(text: str) -> str:
    """Return the key of a file with a single interchange, else "".

    The key is `sender/receiver/date/time/control number/group/set/digest`, such as
    `BIGMART/ACME/260304/0915/000000007/PO/850/9f86d081884c7d65`. ISA13 alone identifies no
    interchange: it has nine digits and starts again, and some senders always send the same one.
    The digest covers each GS, each TA1, and each ST with the segment after it, which has the
    number of the document. So two purchase orders never share a key, and a set that was corrected
    and sent again under its numbers has the key of the first version.
    """
    try:
        isa = read_isa(text)
        if isa is None:
            return ""
        element, terminator = (re.escape(d) for d in detect_delimiters(text, 0)[:2])
    except PayloadError:
        return ""
    if len(re.findall(rf"(?<![\w*])ISA{element}", text)) > 1:
        return ""
    beginnings = re.findall(
        rf"{terminator}[ \t\r\n]{{0,9}}((?:(?:GS|TA1){element}[^{terminator}]*)"
        rf"|(?:ST{element}[^{terminator}]*{terminator}[^{terminator}]*))",
        text,
    )
    # A line end within a segment is a wrapped line, and spaces at its end are padding.
    compact = ["".join(beginning.split()) for beginning in beginnings]
    digest = hashlib.sha256("\n".join((isa[5], isa[7], *compact)).encode()).hexdigest()[:16]
    separator = text[3]
    kinds = [_first_element(compact, tag, separator) for tag in ("GS", "ST")]
    return "/".join([*_isa_parties_time_and_control_number(isa), *filter(None, kinds), digest])


def _isa_parties_time_and_control_number(isa: Segment) -> list[str]:
    """Return sender, receiver, date (YYMMDD), time (HHMM) and control number."""
    return [isa[position] for position in (6, 8, 9, 10, 13)]


def _first_element(segments: list[str], tag: str, separator: str) -> str:
    """Return element 01 of the first segment with this tag, cut to 10 characters, or ""."""
    start = tag + separator
    values = next((s[len(start) :] for s in segments if s.startswith(start)), "")
    return re.split(rf"[{re.escape(separator)}\W]", values, maxsplit=1)[0][:10]
