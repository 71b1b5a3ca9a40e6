"""What an unknown word could mean: up to three of ours each, how certain, and why."""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection

from visibility.screens.mappings.queries import Unmapped

SHOWN = 3
# Below this nobody would be helped.
LEAST = 30
# A number alike is never certain: only the same number, or another source's mapping, is.
MOST_ALIKE = 95
ANOTHER = 90
EAN = re.compile(r"\d{8}|\d{12,14}", re.ASCII)
# One statement for all words: what other sources mean by the same word, the same EAN, and what
# reads alike. `now` alone counts: what has ended is not suggested.
CANDIDATES = """
WITH asked AS (
    SELECT * FROM unnest(%(n)s::int[], %(table)s::text[], %(source)s::text[], %(word)s::text[],
        %(about)s::text[], %(ean)s::text[]) AS a (n, kind, source, word, about, ean)
)
SELECT a.n, m.ours, '', %(another)s, 'so mapped for ' || coalesce(nullif(m.source, ''), 'all')
FROM asked a JOIN visibility_wordmapping m
    ON m."table" = a.kind AND m.word = a.word AND m.source <> a.source AND m.valid_to IS NULL
UNION ALL
SELECT a.n, i.number, i.title, 100, 'the same EAN'
FROM asked a JOIN visibility_item i
    ON a.kind = 'item' AND a.ean <> '' AND i.ean IN (a.ean, '0' || a.ean, ltrim(a.ean, '0'))
    AND i.valid_to IS NULL
UNION ALL
SELECT a.n, c.ours, c.title, round(c.alike * 100)::int, c.why
FROM asked a CROSS JOIN LATERAL (
    (SELECT number AS ours, title, similarity(key, a.word) AS alike, 'number alike' AS why
    FROM visibility_item WHERE a.kind = 'item' AND key %% a.word AND valid_to IS NULL
    ORDER BY similarity(key, a.word) DESC LIMIT 3)
    UNION ALL
    (SELECT number, title, similarity(title, a.about), 'title alike'
    FROM visibility_item WHERE a.kind = 'item' AND a.about <> '' AND title %% a.about
        AND valid_to IS NULL
    ORDER BY similarity(title, a.about) DESC LIMIT 3)
    UNION ALL
    (SELECT number, name, similarity(key, a.word), 'number alike'
    FROM visibility_customer WHERE a.kind = 'customer' AND key %% a.word AND valid_to IS NULL
    ORDER BY similarity(key, a.word) DESC LIMIT 3)
    UNION ALL
    (SELECT number, name, similarity(name, a.about), 'name alike'
    FROM visibility_customer WHERE a.kind = 'customer' AND a.about <> '' AND name %% a.about
        AND valid_to IS NULL
    ORDER BY similarity(name, a.about) DESC LIMIT 3)
    UNION ALL
    (SELECT code, title, greatest(similarity(key, a.word), similarity(upper(title), a.word)),
        'code or title alike'
    FROM visibility_location WHERE a.kind = 'location' AND valid_to IS NULL
    ORDER BY 3 DESC LIMIT 3)
) AS c
"""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One of ours; `certainty` of 100."""

    ours: str
    title: str
    certainty: int
    why: str


def suggested(words: Sequence[Unmapped]) -> list[list[Suggestion]]:
    """For each word up to three, the most certain first."""
    if not words:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            CANDIDATES,
            {
                "n": list(range(len(words))),
                "table": [w.table for w in words],
                "source": [w.source for w in words],
                "word": [w.word for w in words],
                "about": [w.about for w in words],
                "ean": [w.word if EAN.fullmatch(w.word) else "" for w in words],
                "another": ANOTHER,
            },
        )
        rows: list[tuple[int, str, str, int, str]] = cursor.fetchall()
    found: dict[int, dict[str, list[Suggestion]]] = defaultdict(dict)
    for n, ours, title, certainty, why in rows:
        alike = why.endswith("alike")
        certainty = min(certainty, MOST_ALIKE) if alike else certainty
        if certainty >= LEAST:
            found[n].setdefault(ours, []).append(Suggestion(ours, title, certainty, why))
    return [_best(found[n]) for n in range(len(words))]


def _best(found: dict[str, list[Suggestion]]) -> list[Suggestion]:
    """One suggestion for each of ours; two reasons make it more certain than one."""
    merged = []
    for ours, reasons in found.items():
        whys = list(dict.fromkeys(r.why for r in reasons))
        top = max(r.certainty for r in reasons)
        if len(whys) > 1 and top < MOST_ALIKE:
            top = min(top + 5, MOST_ALIKE)
        title = next((r.title for r in reasons if r.title), "")
        merged.append(Suggestion(ours, title, top, " and ".join(whys)))
    return sorted(merged, key=lambda s: (-s.certainty, s.ours))[:SHOWN]
