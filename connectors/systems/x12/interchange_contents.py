"""The contents of a file of X12 interchanges, as a batch."""

from collections.abc import Sequence

from connectors.sdk.batch_contents import BatchContents, join_mismatches
from connectors.sdk.x12_interchanges import Interchange

COUNTS = ("SE01 ", "GE01 ", "IEA01 ", "the group has no GE")


def contents_of_interchanges(interchanges: Sequence[Interchange]) -> BatchContents:
    """Count the transaction sets, and compare the counts of the envelopes (SE01, GE01, IEA01).

    The number is ISA13 of a file with one interchange. Numbers are counted by sender and receiver.
    """
    sets = [each for interchange in interchanges for each in interchange.sets]
    errors = [error for interchange in interchanges for error in interchange.errors if sets]
    mismatches = [
        f"{each.code_and_control_number_text}: {finding}"
        for each in sets
        for finding in each.findings
        if finding.startswith(COUNTS)
    ]
    mismatches += [error.detail for error in errors]
    header = interchanges[0].header if len(interchanges) == 1 else None
    if header is None:
        return BatchContents(len(sets), join_mismatches(mismatches))
    series = f"{header[6].strip()} > {header[8].strip()}"
    return BatchContents(len(sets), join_mismatches(mismatches), series, header[13].strip())
