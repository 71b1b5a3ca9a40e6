"""Words of sources for what happened that nobody has mapped: told at first sight, each once."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from visibility.alerts.reconcile import New, end, keep, reopen
from visibility.db import bulk
from visibility.db.change_feed import change
from visibility.models.alerts import STANDING, WORD, Alert, AlertState
from visibility.models.intake import Source
from visibility.models.master import NeverMap, WordMapping, WordTable, same
from visibility.models.sla import Severity

# So many of a source stand at a time: one that renamed everything is one trouble, not a thousand.
MOST = 20
LOOKED_AT = 500
LONGEST = 250
MAPPED = "The word is mapped."
ASIDE = "The word was set aside."
# From each word straight to the next one in the index, however many events have it.
WORDS = """
SELECT source.id, told.word FROM visibility_source source CROSS JOIN LATERAL (
    WITH RECURSIVE found (word) AS (
        (SELECT data->>'raw_type' FROM visibility_event
            WHERE type = 'unmapped' AND source_id = source.id
            ORDER BY source_id, data->>'raw_type' LIMIT 1)
        UNION ALL
        SELECT next.word FROM found CROSS JOIN LATERAL (
            SELECT data->>'raw_type' AS word FROM visibility_event
            WHERE type = 'unmapped' AND source_id = source.id AND data->>'raw_type' > found.word
            ORDER BY source_id, data->>'raw_type' LIMIT 1
        ) next
    )
    SELECT word FROM found WHERE word <> '' LIMIT %s
) told
WHERE source.enabled ORDER BY source.id, told.word
"""
# Whoever comes second at the same time would open the same alerts.
ALONE = "SELECT pg_try_advisory_xact_lock(4711008)"


@dataclass(frozen=True, slots=True)
class Word:
    """What a source calls something that happened, and why nobody need care, if so."""

    source: Source
    raw: str
    settled: str

    @property
    def obligation(self) -> str:
        """Names the alert."""
        return f"{WORD}{self.raw}"


def unknown(*, now: datetime) -> int:
    """Open an alert for each new word, close those of words that are mapped; how many changed."""
    with transaction.atomic():
        words = _words(now)
        if not words or not _alone():
            return 0
        alerts = {
            (alert.source_id, alert.obligation): alert
            for alert in Alert.objects.select_for_update().filter(
                source__in={word.source.pk for word in words}, obligation__startswith=WORD
            )
        }
        changed: list[int] = []
        for word in words:
            alert = alerts.get((word.source.pk, word.obligation))
            if word.settled and alert and alert.state in STANDING:
                end(alert, AlertState.RESOLVED, now, now, word.settled)
                changed.append(alert.pk)
        standing = Counter(source for (source, _), a in alerts.items() if a.state in STANDING)
        new: list[New] = []
        for word in words:
            if word.settled or standing[word.source.pk] >= MOST:
                continue
            alert = alerts.get((word.source.pk, word.obligation))
            if alert is None:
                new.append(_new(word, now))
            elif alert.resolution == MAPPED:
                changed.append(reopen(alert, now, "It is mapped no longer."))
            else:
                continue
            standing[word.source.pk] += 1
        changed += keep(new, now)
        change({"alert": changed})
        return len(changed)


def _alone() -> bool:
    with bulk.cursor() as cursor:
        cursor.execute(ALONE)
        row = cursor.fetchone()
    return bool(row and row[0])


def _words(now: datetime) -> list[Word]:
    with bulk.cursor() as cursor:
        cursor.execute(WORDS, [LOOKED_AT])
        found: list[tuple[int, str]] = cursor.fetchall()
    if not found:
        return []
    sources = Source.objects.in_bulk({source_id for source_id, _ in found})
    words = {same(raw)[:LONGEST] for _, raw in found}
    mapped = {
        (one.source, one.word)
        for one in WordMapping.objects.filter(table=WordTable.STATUS, word__in=words)
        if (one.valid_from or now) <= now and (one.valid_to is None or now < one.valid_to)
    }
    aside = set(
        NeverMap.objects.filter(table=WordTable.STATUS, word__in=words).values_list(
            "source", "word"
        )
    )
    told = {
        (source_id, raw[:LONGEST]): Word(
            sources[source_id],
            raw[:LONGEST],
            _settled(sources[source_id].slug, raw, mapped, aside),
        )
        for source_id, raw in found
    }
    return list(told.values())


def _settled(slug: str, raw: str, mapped: set[tuple[str, str]], aside: set[tuple[str, str]]) -> str:
    word = same(raw)[:LONGEST]
    if {(slug, word), ("", word)} & mapped:
        return MAPPED
    return ASIDE if (slug, word) in aside else ""


def _new(word: Word, now: datetime) -> New:
    alert = Alert(
        source=word.source,
        obligation=word.obligation,
        severity=Severity.MEDIUM,
        title=f"{word.source.title} says “{word.raw[:80]}”, a word that nobody has mapped",
        team=word.source.owner or "Integration",
        started_at=now,
        due_at=now,
        opened_at=now,
    )
    return New(alert, "opened", alert.title)
