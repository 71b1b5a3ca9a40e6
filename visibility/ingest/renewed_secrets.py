"""Store secrets that a system replaced during a poll, before they are used."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from connectors.sdk.webhook_and_poll_types import RenewedSecret
from visibility.ingest import source_secrets
from visibility.models.sources_and_messages import Source


def store_renewed_secrets(
    source_id: int, renewed: Sequence[RenewedSecret], *, now: datetime
) -> None:
    """Replace values of secret settings, unless a person has changed them since the poll began.

    With each, store when it ends, if the system says so.
    """
    row = Source.objects.select_for_update(no_key=True).get(pk=source_id)
    new_values = {(secret.setting, secret.old): secret for secret in renewed}
    ends = dict(row.secret_ends) if isinstance(row.secret_ends, dict) else {}
    sealed = []
    for stored in source_secrets.decrypt_secrets(row.sealed_secrets):
        secret = new_values.get((stored.setting, stored.value))
        sealed.append(replace(stored, value=secret.new) if secret else stored)
        if secret is None:
            continue
        ends.pop(secret.setting, None)
        if secret.lasts_seconds is not None:
            end = now + timedelta(seconds=secret.lasts_seconds)
            ends[secret.setting] = end.isoformat(timespec="seconds")
    encrypted = source_secrets.encrypt_secrets(sealed, short_allowed=True)
    Source.objects.filter(pk=source_id).update(sealed_secrets=encrypted, secret_ends=ends)
