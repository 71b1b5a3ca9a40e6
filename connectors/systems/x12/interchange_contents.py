"""The contents of a file of X12 interchanges, as a batch."""

from collections.abc import Sequence

from connectors.sdk.batch_contents import BatchContents, contents_of_interchanges
from connectors.sdk.x12_interchanges import Interchange

COUNTS = ("SE01 ", "GE01 ", "IEA01 ", "the group has no GE")


def contents_of_x12_interchanges(interchanges: Sequence[Interchange]) -> BatchContents:
    """Count the transaction sets, and compare the counts of the envelopes (SE01, GE01, IEA01).

    The number is ISA13 of a file with one interchange. Numbers are counted by sender and receiver.
    """
    header = interchanges[0].header if len(interchanges) == 1 else None
    return contents_of_interchanges(
        [
            (each.code_and_control_number_text, each.findings)
            for interchange in interchanges
            for each in interchange.sets
        ],
        [error for interchange in interchanges for error in interchange.errors],
        COUNTS,
        series=f"{header[6].strip()} > {header[8].strip()}" if header else "",
        number=header[13].strip() if header else "",
    )
