"""The contents of a file of EDIFACT interchanges, as a batch."""

from collections.abc import Sequence

from connectors.sdk.batch_contents import BatchContents, contents_of_interchanges
from connectors.systems.edifact.interchanges import EdifactInterchange

COUNTS = ("UNT 0074 ", "UNE 0060 ", "UNZ 0036 ", "the interchange has no UNZ")


def contents_of_edifact_interchanges(interchanges: Sequence[EdifactInterchange]) -> BatchContents:
    """Count the messages, and compare the counts of the envelopes (UNT, UNE, UNZ).

    The number is the control reference (UNB 0020) of a file with one interchange. Numbers are
    counted by sender and receiver.
    """
    header = interchanges[0].header if len(interchanges) == 1 else None
    return contents_of_interchanges(
        [
            (each.type_and_reference, each.findings)
            for interchange in interchanges
            for each in interchange.messages
        ],
        [error for interchange in interchanges for error in interchange.errors],
        COUNTS,
        series=f"{header.text(2)} > {header.text(3)}" if header else "",
        number=header.text(5) if header else "",
    )
