"""The reader of X12 interchanges accepts interchanges as real senders write them."""

import pytest

from connectors.sdk.payload import ParkReason, PayloadError
from connectors.sdk.x12_interchanges import TransactionSet, read_interchanges
from connectors.sdk.x12_segments import decode_text
from tests.builders import x12 as builders

SINGLE = builders.interchange(
    builders.transaction_set("850~BEG*00*SA*4711**20260304~CTT*0"),
    sender="SENDER",
    receiver="RECEIVER",
)


def interchange(*, end: str = "~", after: str = "\n", component: str = ">") -> str:
    return SINGLE.replace("*P*>", f"*P*{component}").replace("~", end + after)


def read_single_set(text: str) -> TransactionSet:
    interchanges = read_interchanges(text)
    assert [i.errors for i in interchanges] == [()]
    ((transaction_set,),) = [i.sets for i in interchanges]
    assert [s.tag for s in transaction_set.segments] == ["BEG", "CTT"]
    assert transaction_set.segments[0][3] == "4711"
    assert transaction_set.segments[0][99] == ""
    return transaction_set


@pytest.mark.parametrize(
    ("end", "after"),
    [
        ("~", ""),
        ("~", "\r\n"),
        ("~", "\n\t\t"),
        ("!", "\n"),
        ("$", ""),
        ("'", ""),
        ("\u2026", ""),
        ("\n", ""),
        ("\r\n", ""),
        ("\x1c", ""),
        ("\x85", "\n"),
    ],
)
def test_any_segment_terminator_is_accepted(end: str, after: str) -> None:
    assert read_single_set(interchange(end=end, after=after)).findings == ()


def test_a_bom_before_the_isa_is_skipped() -> None:
    text = decode_text(b"\xef\xbb\xbf" + interchange().encode())
    assert text == interchange()
    assert read_single_set(text).header == read_single_set(interchange()).header


def test_an_isa_without_padding_is_read() -> None:
    short = interchange().replace("          ", " ").replace("SENDER         ", "SENDER ")
    transaction_set = read_single_set(short)
    assert transaction_set.header is not None
    assert (transaction_set.header[6], transaction_set.header[8], transaction_set.header[13]) == (
        "SENDER",
        "RECEIVER",
        "000000007",
    )


def test_an_isa_with_a_line_break_is_read() -> None:
    transaction_set = read_single_set(interchange().replace("*260304*0915", "\r\n*260304*0915"))
    assert transaction_set.header is not None
    assert transaction_set.header[9] == "260304"


@pytest.mark.parametrize("after", ["", "\n", "\r\n"])
def test_a_missing_component_separator_is_accepted(after: str) -> None:
    transaction_set = read_single_set(interchange(component="", after=after))
    assert transaction_set.segments == read_single_set(interchange()).segments
    assert transaction_set.findings == ()


def test_separators_are_taken_from_the_isa() -> None:
    assert read_single_set(interchange().replace("*", "|").replace(">", ":")).code == "850"


def test_a_file_may_begin_with_gs_or_st() -> None:
    text = interchange()
    from_group = read_interchanges(text[text.index("GS*") : text.index("IEA*")])
    assert from_group[0].sets[0].group is not None
    from_set = read_interchanges(text[text.index("ST*") : text.index("GE*")])
    assert from_set[0].sets[0].segments[0][3] == "4711"
    assert from_set[0].errors == ()


def test_each_interchange_may_have_its_own_separators() -> None:
    interchanges = read_interchanges(
        interchange() + interchange(end="\n", after="").replace("*", "|")
    )
    assert [len(i.sets) for i in interchanges] == [1, 1]


@pytest.mark.parametrize(
    ("was", "becomes", "finding"),
    [
        ("SE*4*", "SE*9*", "SE01 is '9', expected '4'"),
        ("SE*4*0001", "SE*4*0002", "SE02 is '0002', expected '0001'"),
        ("GE*1*7", "GE*2*7", "GE01 is '2', expected '1'"),
        ("GE*1*7", "GE*1*8", "GE02 is '8', expected '7'"),
        ("IEA*1*000000007", "IEA*1*000000008", "IEA02 is '000000008', expected '000000007'"),
        ("IEA*1*", "IEA*3*", "IEA01 is '3', expected '1'"),
        ("GE*1*7~\n", "", "the group has no GE before IEA"),
    ],
)
def test_mismatched_counts_are_findings(was: str, becomes: str, finding: str) -> None:
    assert read_single_set(interchange().replace(was, becomes)).findings == (finding,)


def test_padded_counts_match() -> None:
    padded = interchange().replace("SE*4*", "SE*0004*").replace("IEA*1*", "IEA*00001*")
    assert read_single_set(padded).findings == ()


def test_a_truncated_file_returns_its_complete_sets_and_errors() -> None:
    text = interchange()
    second = text[text.index("ST*") : text.index("SE*")].replace("0001", "0002")
    (result,) = read_interchanges(text[: text.index("GE*")] + second)
    assert [s.control_number for s in result.sets] == ["0001"]
    assert [(p.reason, p.path) for p in result.errors] == [
        (ParkReason.EDI_ENVELOPE, "ST 850 0002"),
        (ParkReason.EDI_ENVELOPE, "ISA"),
    ]


def test_text_after_the_last_interchange_is_an_error() -> None:
    (result,) = read_interchanges(interchange() + "and some more")
    assert len(result.sets) == 1
    assert result.errors[0].reason is ParkReason.EDI_ENVELOPE


@pytest.mark.parametrize(
    "text", ["ISA", "ISA*00*1~GS*PO~", "ISAX", "hello", "ISA~" * 50, "GS*", "ST"]
)
def test_anything_but_an_interchange_is_rejected(text: str) -> None:
    with pytest.raises(PayloadError) as caught:
        read_interchanges(text)
    assert caught.value.reason is ParkReason.EDI_ENVELOPE


def test_a_million_blanks_are_rejected_quickly() -> None:
    with pytest.raises(PayloadError):
        read_interchanges("GS*" + " " * 1_000_000 + "*" * 1_000_000)


ORDER_LINES = "BEG*00*SA*4711**20260304~PO1*1*5*EA***VN*A~PO1*2*6*EA***VN*B~CTT*2"
THREE_LINES = builders.interchange(
    builders.transaction_set(f"850~{ORDER_LINES}"), sender="SENDER", receiver="RECEIVER"
).replace("~", "~\n")


class TestMissingTerminator:
    def test_a_segment_within_another_is_recovered_if_the_count_agrees(self) -> None:
        (result,) = read_interchanges(THREE_LINES.replace("VN*A~", "VN*A"))
        (transaction_set,) = result.sets
        assert [s.tag for s in transaction_set.segments] == ["BEG", "PO1", "PO1", "CTT"]
        assert transaction_set.segments[1][7] == "A"
        assert transaction_set.findings == ("a segment terminator is missing after PO1 1",)

    def test_a_set_whose_count_agrees_with_neither_is_rejected(self) -> None:
        text = THREE_LINES.replace("VN*A~", "VN*A").replace("SE*6*", "SE*9*")
        (result,) = read_interchanges(text)
        assert result.sets == ()
        (error,) = result.errors
        assert (error.reason, error.path) == (ParkReason.EDI_ENVELOPE, "ST 850 0001")
        assert error.detail == "a segment terminator is missing after PO1 1, and SE01 is '9'"

    def test_a_wrapped_line_that_looks_like_a_segment_stays_one_segment(self) -> None:
        for wrapped in ("VN*A\nPO1*2", "VN*\nAB1*2"):
            text = THREE_LINES.replace("VN*A~", f"{wrapped}~")
            (result,) = read_interchanges(text)
            assert [s.tag for s in result.sets[0].segments] == ["BEG", "PO1", "PO1", "CTT"]
            assert result.sets[0].findings == ()

    @pytest.mark.parametrize("before", ["VN*B~", "CTT*2~", "ST*850*0001~"])
    def test_the_ends_of_sets_and_headings_are_recovered(self, before: str) -> None:
        (result,) = read_interchanges(THREE_LINES.replace(before, before[:-1]))
        assert result.errors == ()
        tags = [s.tag for s in result.sets[0].segments]
        assert tags == ["BEG", "PO1", "PO1", "CTT"]


def test_a_newline_terminated_interchange_may_begin_with_an_acknowledgment() -> None:
    text = interchange(end="\n", after="").replace("GS*", "TA1*1*260304*0900*A*000\nGS*", 1)
    (result,) = read_interchanges(text)
    assert [s.code for s in result.sets] == ["850"]
    assert [s[4] for s in result.acknowledgments] == ["A"]
    assert result.errors == ()


def test_an_isa_without_the_terminator_of_the_other_segments_is_named() -> None:
    text = interchange(end="~").replace("*P*>~", "*P*>")
    with pytest.raises(PayloadError) as caught:
        read_interchanges(text)
    assert caught.value.detail == "the ISA does not end with '~', which ends the other segments"


def test_a_million_line_ends_within_a_segment_are_read_quickly() -> None:
    text = THREE_LINES.replace("VN*A~", "VN*A" + "\nx" * 500_000 + "~")
    with pytest.raises(PayloadError, match="text longer"):
        read_interchanges(text)
