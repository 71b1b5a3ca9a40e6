"""The contents of a file of EDIFACT interchanges, as a batch."""

from collections.abc import Sequence

from connectors.sdk.batch_contents import BatchContents, join_mismatches
from connectors.systems.edifact.interchanges import EdifactInterchange

COUNTS = ("UNT 0074 ", "UNE 0060 ", "UNZ 0036 ", "the interchange has no UNZ")


def contents_of_edifact_interchanges(interchanges: Sequence[EdifactInterchange]) -> BatchContents:
    """Count the messages, and compare the counts of the envelopes (UNT, UNE, UNZ).

    The number is the control reference (UNB 0020) of a file with one interchange. Numbers are
    counted by sender and receiver.
    """
    messages = [each for interchange in interchanges for each in interchange.messages]
    errors = [error for interchange in interchanges for error in interchange.errors if messages]
    mismatches = [
        f"{each.type_and_reference}: {finding}"
        for each in messages
        for finding in each.findings
        if finding.startswith(COUNTS)
    ]
    mismatches += [error.detail for error in errors]
    header = interchanges[0].header if len(interchanges) == 1 else None
    if header is None:
        return BatchContents(len(messages), join_mismatches(mismatches))
    series = f"{header.text(2)} > {header.text(3)}"
    return BatchContents(len(messages), join_mismatches(mismatches), series, header.text(5))
