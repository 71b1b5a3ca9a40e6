"""The clauses of an answer, each with the kind of evidence that it rests on."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Evidence(StrEnum):
    """Where the facts of a clause can be read."""

    STATUS = "status"
    SHORTAGES = "shortages"
    BILLING = "billing"
    RETURNS = "returns"
    DISCREPANCIES = "discrepancies"
    PROMISE = "promise"


@dataclass(frozen=True, slots=True)
class AnswerClause:
    """A clause and what follows it: `; ` inside a sentence, `. ` or `.` at its end."""

    text: str
    evidence: Evidence
    separator: str = ". "


def join_clauses(clauses: Iterable[AnswerClause]) -> str:
    """The answer as one text."""
    return "".join(clause.text + clause.separator for clause in clauses).rstrip()


def clauses_with_separators(
    first_sentence: Iterable[tuple[str, Evidence]], sentences: Iterable[tuple[str, Evidence]]
) -> tuple[AnswerClause, ...]:
    """The clauses of the first sentence, then the other sentences."""
    first = [AnswerClause(text, evidence, "; ") for text, evidence in first_sentence]
    first[-1] = AnswerClause(first[-1].text, first[-1].evidence)
    return (*first, *(AnswerClause(text, evidence) for text, evidence in sentences))
