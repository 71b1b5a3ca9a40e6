"""Sign-ins in progress: sent with a browser, answered once without its cookies, and finished.

The provider lets the browser post its answer from its own site, so the browser sends no session
cookie with it (SameSite=Lax). The answer is checked and its result stored; then the browser
follows a redirect with GET, and sends the cookie: only the session that began gets the result.
"""

import json
import secrets
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.http import HttpRequest

from visibility.db.derived_keys import KeyPurpose
from visibility.db.encrypt_texts import decrypt_text, encrypt_text
from visibility.models import SamlProvider, SamlSignIn
from visibility.web.people.saml.messages import new_request_id, sign_in_address
from visibility.web.people.saml.response import (
    AssertedPerson,
    ReceivedAnswer,
    parse_answer,
    read_person,
)
from visibility.web.people.saml.response_structure import refuse_answer
from visibility.web.people.single_sign_on.provider_identity import ProviderIdentity
from visibility.web.people.single_sign_on.refusals import Reason, SignInRefused
from visibility.web.people.single_sign_on.sign_in import NOT_FROM_HERE

SESSION_KEY = "saml_sign_ins"
MAX_PER_SESSION, MAX_DELETED = 5, 500
LIFETIME, STORED_FOR = timedelta(minutes=10), timedelta(days=1)
PURPOSE = KeyPurpose.SAML_SIGN_IN
NOT_REQUESTED = "Sign-ins must begin here: the provider sent an answer without a request."


@dataclass(frozen=True, slots=True)
class FinishedSignIn:
    """What waits for the browser: a person, or why there is none. `next_url`: where it wanted."""

    identity: ProviderIdentity | None
    problem: str
    next_url: str
    tester: int | None


def begin_sign_in(
    request: HttpRequest,
    row: SamlProvider,
    *,
    now: datetime,
    next_url: str = "",
    tester: int | None = None,
) -> str:
    """Store a request in the session and in the table; return the address at the provider."""
    _delete_old_sign_ins(now)
    sign_in = SamlSignIn.objects.create(
        request_id=new_request_id(),
        relay_state=secrets.token_urlsafe(32),
        provider_version=row.version,
        tester=tester,
        sent_at=now,
    )
    begun = {**request.session.get(SESSION_KEY, {}), sign_in.relay_state: next_url}
    request.session[SESSION_KEY] = dict(list(begun.items())[-MAX_PER_SESSION:])
    return sign_in_address(
        row, request_id=sign_in.request_id, relay_state=sign_in.relay_state, now=now
    )


def take_answer(
    row: SamlProvider, encoded: str, relay_state: str, *, now: datetime
) -> tuple[SamlSignIn, ReceivedAnswer]:
    """The sign-in to which an answer belongs, and the answer. A sign-in has one answer.

    Raises SignInRefused if there is none.
    """
    answer = parse_answer(encoded)
    if not answer.request_id:
        raise SignInRefused(Reason.NOT_REQUESTED, NOT_REQUESTED)
    rows = SamlSignIn.objects.filter(
        request_id=answer.request_id[:64],
        relay_state=relay_state[:64],
        provider_version=row.version,
        received_at__isnull=True,
        sent_at__gt=now - LIFETIME,
    )
    if not rows.update(received_at=now):
        raise SignInRefused(Reason.STATE, NOT_FROM_HERE)
    return SamlSignIn.objects.get(request_id=answer.request_id), answer


def check_answer(
    row: SamlProvider, sign_in: SamlSignIn, answer: ReceivedAnswer, *, now: datetime
) -> SignInRefused | None:
    """Check the answer, and store its result for the browser. Returns why it is refused."""
    try:
        person = read_person(row, answer, request_id=sign_in.request_id, now=now)
        _store_person(sign_in, person)
    except SignInRefused as error:
        _store_result(sign_in, {"problem": error.sentence})
        return error
    return None


def finish_sign_in_of_session(
    request: HttpRequest, row: SamlProvider, relay_state: str, *, now: datetime
) -> FinishedSignIn:
    """The result, if this session began the sign-in; it is valid once. Raises SignInRefused."""
    begun = dict(request.session.get(SESSION_KEY, {}))
    if relay_state not in begun:
        raise SignInRefused(Reason.STATE, NOT_FROM_HERE)
    next_url = begun.pop(relay_state)
    request.session[SESSION_KEY] = begun
    with transaction.atomic():
        rows = SamlSignIn.objects.select_for_update().filter(
            relay_state=relay_state, provider_version=row.version, sent_at__gt=now - LIFETIME
        )
        sign_in = rows.exclude(sealed_result="").first()
        if sign_in is None:
            raise SignInRefused(Reason.STATE, NOT_FROM_HERE)
        result = json.loads(decrypt_text(sign_in.sealed_result, purpose=PURPOSE))
        _store_result(sign_in, None)
    identity = None
    if "identity" in result:
        stored = result["identity"]
        identity = ProviderIdentity(**{**stored, "groups": tuple(stored["groups"])})
    return FinishedSignIn(identity, result.get("problem", ""), next_url, sign_in.tester)


def _delete_old_sign_ins(now: datetime) -> None:
    """Unused ones, and those whose assertion is not valid any more by far."""
    is_old = Q(sent_at__lt=now - STORED_FOR) | Q(
        sent_at__lt=now - LIFETIME, assertion_key__isnull=True
    )
    with transaction.atomic():
        # Others may delete the same rows in another order.
        rows = SamlSignIn.objects.filter(is_old).select_for_update(skip_locked=True)
        numbers = list(rows.values_list("pk", flat=True)[:MAX_DELETED])
        SamlSignIn.objects.filter(pk__in=numbers).delete()


def _store_person(sign_in: SamlSignIn, person: AssertedPerson) -> None:
    try:
        with transaction.atomic():
            sign_in.assertion_key = person.assertion_key
            sign_in.save(update_fields=["assertion_key"])
    except IntegrityError:
        raise refuse_answer(Reason.REPLAYED, "its assertion was used before") from None
    _store_result(sign_in, {"identity": asdict(person.identity)})


def _store_result(sign_in: SamlSignIn, result: dict[str, Any] | None) -> None:
    sealed = encrypt_text(json.dumps(result).encode(), purpose=PURPOSE) if result else ""
    SamlSignIn.objects.filter(pk=sign_in.pk).update(sealed_result=sealed)
