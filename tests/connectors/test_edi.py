"""The X12 reader takes interchanges as they are written, not as the standard draws them."""

import pytest

from connectors.sdk import x12
from connectors.sdk.payload import PayloadError, Reason

ISA = "ISA*00*          *00*          *ZZ*SENDER         *ZZ*RECEIVER       *260304*0915*U*00401"


def interchange(*, end: str = "~", after: str = "\n", tail: str = "*000000007*0*P*>") -> str:
    body = ["GS*PO*SENDER*RECEIVER*20260304*0915*7*X*004010"]
    body += ["ST*850*0001", "BEG*00*SA*4711**20260304", "CTT*0", "SE*4*0001"]
    body += ["GE*1*7", "IEA*1*000000007"]
    return ISA + tail + end + after + "".join(segment + end + after for segment in body)


def only(text: str) -> x12.TransactionSet:
    found = x12.read(text)
    assert [i.problems for i in found] == [()]
    ((one,),) = [i.sets for i in found]
    assert [s.tag for s in one.segments] == ["BEG", "CTT"]
    assert one.segments[0][3] == "4711"
    assert one.segments[0][99] == ""
    return one


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
def test_any_terminator_that_the_isa_declares_is_followed(end: str, after: str) -> None:
    assert only(interchange(end=end, after=after)).findings == ()


def test_a_byte_order_mark_is_no_part_of_the_isa() -> None:
    only(x12.decode(b"\xef\xbb\xbf" + interchange().encode()))


def test_an_isa_without_padding_is_walked_element_by_element() -> None:
    short = interchange().replace("          ", " ").replace("SENDER         ", "SENDER ")
    one = only(short)
    assert one.header is not None
    assert (one.header[6], one.header[8], one.header[13]) == ("SENDER", "RECEIVER", "000000007")


def test_an_isa_broken_over_two_lines_is_one_segment() -> None:
    one = only(interchange().replace("*260304*0915", "\r\n*260304*0915"))
    assert one.header is not None
    assert one.header[9] == "260304"


@pytest.mark.parametrize("after", ["", "\n", "\r\n"])
def test_a_tilde_can_be_component_separator_and_terminator_at_once(after: str) -> None:
    only(interchange(tail="*000000007*0*P*", after=after))


def test_other_separators_are_taken_from_the_isa() -> None:
    assert only(interchange().replace("*", "|").replace(">", ":")).code == "850"


def test_a_file_may_begin_at_gs_or_at_st() -> None:
    whole = interchange()
    from_group = x12.read(whole[whole.index("GS*") : whole.index("IEA*")])
    assert from_group[0].sets[0].group is not None
    from_set = x12.read(whole[whole.index("ST*") : whole.index("GE*")])
    assert from_set[0].sets[0].segments[0][3] == "4711"
    assert from_set[0].problems == ()


def test_several_interchanges_may_each_have_their_own_separators() -> None:
    found = x12.read(interchange() + interchange(end="\n", after="").replace("*", "|"))
    assert [len(i.sets) for i in found] == [1, 1]


@pytest.mark.parametrize(
    ("was", "becomes", "finding"),
    [
        ("SE*4*", "SE*9*", "SE01 says '9', found '4'"),
        ("SE*4*0001", "SE*4*0002", "SE02 says '0002', found '0001'"),
        ("GE*1*7", "GE*2*7", "GE01 says '2', found '1'"),
        ("GE*1*7", "GE*1*8", "GE02 says '8', found '7'"),
        ("IEA*1*000000007", "IEA*1*000000008", "IEA02 says '000000008', found '000000007'"),
        ("IEA*1*", "IEA*3*", "IEA01 says '3', found '1'"),
        ("GE*1*7~\n", "", "the group has no GE before IEA"),
    ],
)
def test_counts_that_disagree_are_findings_and_the_set_stays(
    was: str, becomes: str, finding: str
) -> None:
    assert only(interchange().replace(was, becomes)).findings == (finding,)


def test_padded_counts_agree() -> None:
    padded = interchange().replace("SE*4*", "SE*0004*").replace("IEA*1*", "IEA*00001*")
    assert only(padded).findings == ()


def test_a_file_that_is_cut_keeps_its_whole_sets_and_says_that_it_is_cut() -> None:
    whole = interchange()
    second = whole[whole.index("ST*") : whole.index("SE*")].replace("0001", "0002")
    (found,) = x12.read(whole[: whole.index("GE*")] + second)
    assert [s.control for s in found.sets] == ["0001"]
    assert [(p.reason, p.path) for p in found.problems] == [
        (Reason.EDI_ENVELOPE, "ST 850 0002"),
        (Reason.EDI_ENVELOPE, "ISA"),
    ]


def test_what_follows_the_last_interchange_is_a_problem_beside_the_good_sets() -> None:
    (found,) = x12.read(interchange() + "and some more")
    assert len(found.sets) == 1
    assert found.problems[0].reason is Reason.EDI_ENVELOPE


@pytest.mark.parametrize(
    "text", ["ISA", "ISA*00*1~GS*PO~", "ISAX", "hello", "ISA~" * 50, "GS*", "ST"]
)
def test_what_is_no_interchange_is_refused_with_a_reason(text: str) -> None:
    with pytest.raises(PayloadError) as caught:
        x12.read(text)
    assert caught.value.reason is Reason.EDI_ENVELOPE


def test_an_empty_file_and_a_foreign_charset_have_reasons_of_their_own() -> None:
    for body, reason in ((b" \n", Reason.EMPTY), (b"ISA\xff", Reason.ENCODING)):
        with pytest.raises(PayloadError) as caught:
            x12.decode(body)
        assert caught.value.reason is reason
    assert x12.decode(b"M\xdcLLER", "cp1252") == "MÜLLER"


def test_a_million_blanks_take_no_time() -> None:
    with pytest.raises(PayloadError):
        x12.read("GS*" + " " * 1_000_000 + "*" * 1_000_000)
