"""Full-text search of the guide, by PostgreSQL."""

from dataclasses import dataclass

from django.db import connection
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from visibility.screens.help.guide import GUIDE, GuidePage, load_guide_page, system_names

MAX_RESULTS = 20
# They mark matches until the text is escaped; documents do not contain them.
START, STOP = "\x02", "\x03"
SEARCH = """
WITH section AS (
    SELECT number, heading, body,
        setweight(to_tsvector('english', heading), 'A')
            || setweight(to_tsvector('english', title), 'B')
            || to_tsvector('english', body) AS words
    FROM unnest(%s::text[], %s::text[], %s::text[])
        WITH ORDINALITY AS given (title, heading, body, number)
), matching AS (
    SELECT number, body, query, ts_rank_cd(words, query, 1) AS rank, count(*) OVER () AS total
    FROM section, websearch_to_tsquery('english', %s) AS query
    WHERE words @@ query
    ORDER BY rank DESC, number LIMIT %s
)
SELECT number, total, ts_headline('english', body, query, %s) FROM matching
ORDER BY rank DESC, number
"""


@dataclass(frozen=True, slots=True)
class GuideMatch:
    """A section of the guide. `excerpt` is safe HTML with `<mark>`."""

    page: str
    heading: str
    url: str
    excerpt: SafeString


@dataclass(frozen=True, slots=True)
class GuideMatches:
    """The best sections, and how many there are."""

    matches: list[GuideMatch]
    total: int


def search_guide(text: str) -> GuideMatches:
    """Find sections by words, as typed into a search engine. One statement."""
    entries = [(page, section) for page in _all_pages() for section in page.sections]
    columns = [
        [page.title for page, _ in entries],
        [section.heading for _, section in entries],
        [section.text for _, section in entries],
    ]
    options = f'StartSel="{START}", StopSel="{STOP}", MaxWords=30, MinWords=12, MaxFragments=1'
    with connection.cursor() as cursor:
        cursor.execute(SEARCH, [*columns, text, MAX_RESULTS, options])
        rows = cursor.fetchall()
    matches = []
    for number, _, excerpt in rows:
        page, section = entries[number - 1]
        anchor = f"#{section.anchor}" if section.anchor else ""
        marked = escape(excerpt).replace(START, "<mark>").replace(STOP, "</mark>")
        matches.append(
            GuideMatch(page.title, section.heading, page.url + anchor, mark_safe(marked))  # noqa: S308
        )
    return GuideMatches(matches, rows[0][1] if rows else 0)


def _all_pages() -> list[GuidePage]:
    names = [name for names in GUIDE.values() for name in names]
    return [load_guide_page(name) for name in (*names, *system_names())]
