"""What the page and the API show of the certificates of a provider."""

import base64
import hashlib
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509

from visibility.models import SamlProvider


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """What people compare with the page of the provider."""

    subject: str
    expires_at: datetime
    is_expired: bool
    fingerprint: str


def certificate_facts(encoded: str, *, now: datetime) -> CertificateFacts:
    """Subject, end and SHA-256 of a stored certificate."""
    content = base64.b64decode(encoded)
    certificate = x509.load_der_x509_certificate(content)
    digest = hashlib.sha256(content).hexdigest().upper()
    expires_at = certificate.not_valid_after_utc
    return CertificateFacts(
        subject=certificate.subject.rfc4514_string()[:200],
        expires_at=expires_at,
        is_expired=expires_at < now,
        fingerprint=":".join(digest[index : index + 2] for index in range(0, 64, 2)),
    )


def certificates_of(row: SamlProvider, *, now: datetime) -> list[CertificateFacts]:
    """The certificates with which the provider may sign."""
    return [certificate_facts(encoded, now=now) for encoded in row.certificates]
