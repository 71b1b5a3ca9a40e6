"""Ignore a term of a source, or stop ignoring it, with an entry in the audit log."""

from django.db import transaction

from visibility.master_data.change_author_and_origin import ChangeContext
from visibility.models.audit import append_audit_entry
from visibility.models.master import IgnoredTerm, normalize_term


def ignore_term(kind: str, source: str, term: str, *, reason: str, context: ChangeContext) -> None:
    """Ignore a term: it is not listed as unmapped any more."""
    with transaction.atomic():
        IgnoredTerm.objects.update_or_create(
            kind=kind,
            source=source,
            term=normalize_term(term),
            defaults={
                "reason": reason[:500],
                "decided_at": context.now,
                "decided_by": context.user,
            },
        )
        _audit_term_decision("never", kind, source, term, context)


def unignore_term(kind: str, source: str, term: str, *, context: ChangeContext) -> None:
    """Stop ignoring a term."""
    with transaction.atomic():
        ignored = IgnoredTerm.objects.filter(kind=kind, source=source, term=normalize_term(term))
        if ignored.delete()[0]:
            _audit_term_decision("again", kind, source, term, context)


def _audit_term_decision(
    action: str, kind: str, source: str, term: str, context: ChangeContext
) -> None:
    detail = {"source": source, "term": term[:250]}
    append_audit_entry(
        f"master.{action}", user=context.user, object=kind, detail=detail, now=context.now
    )
