"""Everything that is made with a secret key is known to the command that replaces it."""

import re
from collections import Counter

from django.apps import apps

from visibility.db.derived_keys import KeyPurpose
from visibility.launcher.instance_lock_and_environment import CHECKOUT
from visibility.operations.key_replacement.registry import (
    GIVEN_ADDRESSES,
    OF_NEWEST_KEY_ONLY,
    RENEWED_AT_USE,
    STORED_VALUES,
)

NAME_OF_SEALED_COLUMN = re.compile(
    r"seal|secret|cipher|crypt|token|digest$|signature|hmac|password|seed|session_data"
)
# Columns with such a name that no secret key made.
WITHOUT_SECRET_KEY = {
    "auth_user.password": "Argon2id",
    "socialaccount_socialapp.secret": "no rows: ProviderAdapter.list_apps",
    "socialaccount_socialtoken.token": "no rows: tokens of a sign-in are not stored",
    "socialaccount_socialtoken.token_secret": "no rows",
    "visibility_apitoken.secret_digest": "SHA-256",
    "visibility_auditentry.digest": "SHA-256 of the entry",
    "visibility_auditentry.previous_digest": "SHA-256 of the entry before",
    "visibility_audithead.digest": "SHA-256 of the last entry",
    "visibility_customerbrand.logo_digest": "SHA-256 of the picture",
    "visibility_source.secret_ends": "dates",
    "visibility_subscription.digest": "how often it sends",
}
# Modules that read the keys themselves, or sign with Django's signer, which reads all of them.
READERS_OF_KEYS = {
    "visibility/db/derived_keys.py",
    "visibility/management/commands/restore.py",
    "visibility/operations/backups.py",
    "visibility/operations/key_replacement/examine_rows.py",
    "visibility/settings.py",
}
SIGNERS = {
    # Cursors of lists: asked for again from the first page.
    "visibility/web/api/pagination.py",
    # Test events, valid for a minute.
    "visibility/ingest/unstored_requests.py",
    "visibility/operations/key_replacement/examine_rows.py",
}


def test_each_purpose_is_in_one_group() -> None:
    groups = Counter(
        [
            *(purpose for purpose in STORED_VALUES if purpose is not None),
            *(purpose for addresses in GIVEN_ADDRESSES for purpose in addresses.purposes),
            *RENEWED_AT_USE,
            *OF_NEWEST_KEY_ONLY,
        ]
    )
    assert groups == Counter(KeyPurpose)


def test_each_sealed_column_is_renewed_by_the_command() -> None:
    renewed = {
        f"{values.model._meta.db_table}.{values.column}" for values in STORED_VALUES.values()
    }
    named = {
        f"{model._meta.db_table}.{field.column}"
        for model in apps.get_models()
        for field in model._meta.concrete_fields
        if NAME_OF_SEALED_COLUMN.search(field.column or "")
        and field.get_internal_type() in {"CharField", "TextField", "JSONField", "BinaryField"}
    }
    assert sorted(named - renewed - WITHOUT_SECRET_KEY.keys()) == []
    assert len(named & renewed) >= 6


def modules_with(pattern: str) -> set[str]:
    return {
        path.relative_to(CHECKOUT).as_posix()
        for path in (CHECKOUT / "visibility").rglob("*.py")
        if "migrations" not in path.parts and re.search(pattern, path.read_text())
    }


def test_nothing_else_reads_the_keys_or_signs() -> None:
    assert modules_with(r"settings\.SECRET_KEY\b|^SECRET_KEY = env") - READERS_OF_KEYS == set()
    assert modules_with(r"salted_hmac|\bsigning\.|import signing|[a-z]Signer\(") - SIGNERS == set()
    assert len(modules_with(r"settings\.SECRET_KEY\b")) >= 3
