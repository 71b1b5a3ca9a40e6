"""Suggest up to three canonical records for each unmapped term, with certainty and reason."""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection

from visibility.screens.mappings.term_and_row_queries import UnmappedTerm

MAX_SUGGESTIONS = 3
# Less certain suggestions are not useful.
MIN_CERTAINTY = 30
# A similar number is never certain. Only an equal number, or the mapping of another source, is.
MAX_SIMILARITY = 95
OTHER_SOURCE_CERTAINTY = 90
EAN = re.compile(r"\d{8}|\d{12,14}", re.ASCII)
# One statement for all terms: mappings of the same term for other sources, equal EANs, and similar
# spellings (pg_trgm). Rows with an end date are not suggested.
CANDIDATES = """
WITH asked AS (
    SELECT * FROM unnest(%(n)s::int[], %(kind)s::text[], %(source)s::text[], %(term)s::text[],
        %(description)s::text[], %(ean)s::text[]) AS a (n, kind, source, term, description, ean)
)
SELECT a.n, m.canonical, '', %(another)s,
    'same as for ' || coalesce(nullif(m.source, ''), 'all sources')
FROM asked a JOIN visibility_termmapping m
    ON m.kind = a.kind AND m.term = a.term AND m.source <> a.source AND m.valid_to IS NULL
UNION ALL
SELECT a.n, i.number, i.title, 100, 'same EAN'
FROM asked a JOIN visibility_item i
    ON a.kind = 'item' AND a.ean <> '' AND i.ean IN (a.ean, '0' || a.ean, ltrim(a.ean, '0'))
    AND i.valid_to IS NULL
UNION ALL
SELECT a.n, c.canonical, c.title, round(c.alike * 100)::int, c.why
FROM asked a CROSS JOIN LATERAL (
    (SELECT number AS canonical, title, similarity(key, a.term) AS alike, 'similar number' AS why
    FROM visibility_item WHERE a.kind = 'item' AND key %% a.term AND valid_to IS NULL
    ORDER BY similarity(key, a.term) DESC LIMIT 3)
    UNION ALL
    (SELECT number, title, similarity(title, a.description), 'similar title'
    FROM visibility_item WHERE a.kind = 'item' AND a.description <> '' AND title %% a.description
        AND valid_to IS NULL
    ORDER BY similarity(title, a.description) DESC LIMIT 3)
    UNION ALL
    (SELECT number, name, similarity(key, a.term), 'similar number'
    FROM visibility_customer WHERE a.kind = 'customer' AND key %% a.term AND valid_to IS NULL
    ORDER BY similarity(key, a.term) DESC LIMIT 3)
    UNION ALL
    (SELECT number, name, similarity(name, a.description), 'similar name'
    FROM visibility_customer
    WHERE a.kind = 'customer' AND a.description <> '' AND name %% a.description AND valid_to IS NULL
    ORDER BY similarity(name, a.description) DESC LIMIT 3)
    UNION ALL
    (SELECT code, title, greatest(similarity(key, a.term), similarity(upper(title), a.term)),
        'similar code or title'
    FROM visibility_location WHERE a.kind = 'location' AND valid_to IS NULL
    ORDER BY 3 DESC LIMIT 3)
) AS c
"""


@dataclass(frozen=True, slots=True)
class TermSuggestion:
    """A canonical record that a term may refer to. `certainty` is a percentage."""

    canonical: str
    title: str
    certainty: int
    why: str


def suggest_canonical_records(terms: Sequence[UnmappedTerm]) -> list[list[TermSuggestion]]:
    """Up to three suggestions for each term, the most certain first."""
    if not terms:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            CANDIDATES,
            {
                "n": list(range(len(terms))),
                "kind": [w.kind for w in terms],
                "source": [w.source for w in terms],
                "term": [w.term for w in terms],
                "description": [w.description for w in terms],
                "ean": [w.term if EAN.fullmatch(w.term) else "" for w in terms],
                "another": OTHER_SOURCE_CERTAINTY,
            },
        )
        rows: list[tuple[int, str, str, int, str]] = cursor.fetchall()
    by_term: dict[int, dict[str, list[TermSuggestion]]] = defaultdict(dict)
    for n, canonical, title, certainty, why in rows:
        is_similar = why.startswith("similar")
        certainty = min(certainty, MAX_SIMILARITY) if is_similar else certainty
        if certainty >= MIN_CERTAINTY:
            by_term[n].setdefault(canonical, []).append(
                TermSuggestion(canonical, title, certainty, why)
            )
    return [_merge_and_rank_suggestions(by_term[n]) for n in range(len(terms))]


def _merge_and_rank_suggestions(
    by_canonical: dict[str, list[TermSuggestion]],
) -> list[TermSuggestion]:
    """Merge suggestions of the same canonical record. A second reason adds 5 points."""
    merged = []
    for canonical, reasons in by_canonical.items():
        distinct_reasons = list(dict.fromkeys(r.why for r in reasons))
        top = max(r.certainty for r in reasons)
        if len(distinct_reasons) > 1 and top < MAX_SIMILARITY:
            top = min(top + 5, MAX_SIMILARITY)
        title = next((r.title for r in reasons if r.title), "")
        merged.append(TermSuggestion(canonical, title, top, " and ".join(distinct_reasons)))
    return sorted(merged, key=lambda s: (-s.certainty, s.canonical))[:MAX_SUGGESTIONS]
