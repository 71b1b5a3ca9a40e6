"""Rows whose values are more than one ciphertext: second factors, tokens, audit log, sessions."""

from importlib import import_module
from typing import Any

from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core import signing
from django.utils.crypto import constant_time_compare

from visibility.db.derived_keys import KeyPurpose
from visibility.models import ApiToken, AuditHead
from visibility.models.audit import head_seal
from visibility.operations.key_replacement.stored_values import (
    NEWEST,
    UNREADABLE,
    Examined,
    KeyState,
    examine_ciphertext,
)

# What django-allauth encrypts in `Authenticator.data`: a text, or a list of texts.
ENCRYPTED_KEYS = ("secret", "seed", "migrated_codes")


def examine_second_factor(factor: Authenticator) -> Examined:
    """The key of an app, or the seed of recovery codes; passkeys have nothing encrypted."""
    renewed, states = dict(factor.data), set()
    for name in ENCRYPTED_KEYS:
        if name not in factor.data:
            continue
        stored = factor.data[name]
        texts = stored if isinstance(stored, list) else [stored]
        examined = [examine_ciphertext(text, KeyPurpose.SECOND_FACTOR) for text in texts]
        states |= {item.state for item in examined}
        new_texts = [item.renewed or text for item, text in zip(examined, texts, strict=True)]
        renewed[name] = new_texts if isinstance(stored, list) else new_texts[0]
    if KeyState.UNREADABLE in states:
        return UNREADABLE
    return Examined(KeyState.FALLBACK, renewed) if KeyState.FALLBACK in states else NEWEST


def examine_api_token(token: ApiToken) -> Examined:
    """Without the digest of its secret, a token can be renewed only with the secret."""
    if not token.secret_digest:
        return Examined(KeyState.UNTIL_USED)
    newest = token.newest_digest()
    if token.digest == newest:
        return NEWEST
    return Examined(KeyState.FALLBACK, newest) if token.is_sealed() else UNREADABLE


def examine_audit_head(head: AuditHead) -> Examined:
    """The seal of the end of the audit log."""
    if head.is_sealed_with_newest_key:
        return NEWEST
    if not head.is_sealed:
        return UNREADABLE
    seal = head_seal(head.entries, head.last_entry_id, head.digest)
    return Examined(KeyState.FALLBACK, seal)


def examine_session(session: Session) -> Examined:
    """The signature of the session, and the keyed hash of the password in it."""
    store = import_module(settings.SESSION_ENGINE).SessionStore()
    content: dict[str, Any] | None = _signed_content(session.session_data, store)
    is_old = content is None
    if content is None:
        content = store.decode(session.session_data)
        if not content:  # damaged, or of a key that is not set any more: it has ended
            return NEWEST
    stored = content.get(HASH_SESSION_KEY)
    user = User.objects.filter(pk=content.get(SESSION_KEY, 0)).first() if stored else None
    if user is not None and any(
        constant_time_compare(str(stored), older) for older in user.get_session_auth_fallback_hash()
    ):
        content[HASH_SESSION_KEY], is_old = user.get_session_auth_hash(), True
    return Examined(KeyState.FALLBACK, store.encode(content)) if is_old else NEWEST


def _signed_content(data: str, store: Any) -> dict[str, Any] | None:
    """What SECRET_KEY alone reads; None if it does not."""
    try:
        content: dict[str, Any] = signing.loads(
            data, key=settings.SECRET_KEY, salt=store.key_salt, serializer=store.serializer,
            fallback_keys=[],
        )  # fmt: skip
    except signing.BadSignature:
        return None
    return content
