"""Why a sign-in at the identity provider was refused: a code for the audit log, and a sentence."""

from enum import StrEnum


class Reason(StrEnum):
    """The `reason` in the audit entry `session.refused`."""

    PROVIDER = "provider"  # its addresses, keys or answers cannot be read
    PROVIDER_REFUSED = "provider_refused"  # it answered with an error
    STATE = "state"
    TOKEN = "token"  # noqa: S105  # no secret
    SIGNATURE = "signature"
    EXPIRED = "expired"
    ISSUER = "issuer"
    AUDIENCE = "audience"
    NONCE = "nonce"
    NOT_REQUESTED = "not_requested"  # no sign-in began here
    RECIPIENT = "recipient"
    REPLAYED = "replayed"
    SUBJECT = "subject"
    EMAIL_NOT_VERIFIED = "email_not_verified"
    SEVERAL_ACCOUNTS = "several_accounts"
    UNKNOWN_PERSON = "unknown_person"
    USERNAME_TAKEN = "username_taken"
    ADMINISTRATOR_NOT_LINKED = "administrator_not_linked"
    LINKED_TO_OTHER = "linked_to_other"
    DEACTIVATED = "deactivated"
    NO_ROLE = "no_role"
    ROLE_WITHOUT_SCOPE = "role_without_scope"


class SignInRefused(Exception):
    """The sign-in ends here. `sentence`: for the person, with nothing that is secret."""

    def __init__(self, reason: Reason, sentence: str) -> None:
        super().__init__(sentence)
        self.reason, self.sentence = reason, sentence
