"""What a sender has to do, in steps, and an example request: both derived from a manifest."""

import re

from connectors.sdk.manifest.definition import ManifestDefinition
from connectors.sdk.manifest.webhook_rule import VerifyRule

CONTENT_TYPES = {
    "json": "application/json",
    "xml": "application/xml",
    "csv": "text/csv",
    "tsv": "text/tab-separated-values",
    "fixed_width": "text/plain",
}
# Where the name of the format is neither the name in prose nor that of the file.
NAMES = {"fixed_width": "rows of fixed width"}
SUFFIXES = {"fixed_width": "txt"}
SIGNED = {
    "body": "the body",
    "timestamp.body": "the time, a period and the body",
    "id.timestamp.body": "the id, a period, the time, a period and the body",
}
ENCODINGS = {"hex": "in hexadecimal", "base64": "in base64"}
KEY_FORMS = {"base64": ", with the secret decoded from base64", "nfkd": ""}


def sender_steps(manifest: ManifestDefinition) -> tuple[str, ...]:
    """Return what to do in the system so that its messages arrive and are accepted."""
    steps = []
    if manifest.webhook:
        form = NAMES.get(manifest.read.format, manifest.read.format.upper())
        steps.append(f"Send each message with POST to the webhook URL, as {form}.")
        steps.append(_verification_step(manifest.webhook.verify))
    if manifest.poll:
        needed = [s.label_or_derived_label for s in manifest.settings if not s.default]
        names = f": {', '.join(needed)}" if needed else ""
        steps.append(
            f"To let Throughline poll the system, enter the settings of this source{names}."
        )
    if manifest.accepts_files:
        pattern = f" whose names match {manifest.file_pattern}" if manifest.file_pattern else ""
        steps.append(f"Let the system place files{pattern} in the drop folder.")
    return tuple(steps)


def request_example(manifest: ManifestDefinition, url: str) -> str:
    """Return shell commands that send `message.json` as a sender would; empty without webhooks.

    The shell variable SECRET has the secret of the source.
    """
    if manifest.webhook is None:
        return ""
    rule = manifest.webhook.verify
    file = f"message.{SUFFIXES.get(manifest.read.format, manifest.read.format)}"
    prepared: list[str] = []
    headers = [f"content-type: {CONTENT_TYPES[manifest.read.format]}"]
    if rule.method == "hmac":
        prepared, signature_headers = _signature_commands(rule, file)
        headers += signature_headers
    elif rule.method == "standard_webhooks":
        prepared, signature_headers = _standard_webhooks_commands(file)
        headers += signature_headers
    elif rule.method == "token_header":
        headers.append(f"{rule.header}: $SECRET")
    elif rule.method == "bearer":
        headers.append("authorization: Bearer $SECRET")
    elif rule.query_token:
        url = f"{url}?{rule.query_token}=$SECRET"
    options = [f'-H "{header}"' for header in headers]
    if rule.method == "basic":
        options.append('-u "$SECRET"')
    curl = " \\\n  ".join(["curl -i", *options, f'--data-binary @{file} "{url}"'])
    return "\n".join(["SECRET='the secret of this source'", *prepared, curl])


def _verification_step(rule: VerifyRule) -> str:
    if rule.method == "standard_webhooks":
        return "Sign each request by the Standard Webhooks specification, with the secret."
    if rule.method == "token_header":
        return f"Send the secret in the header {rule.header}."
    if rule.method == "query_token":
        return f"Add the secret to the URL: ?{rule.query_token}= and the secret."
    if rule.method == "basic":
        return "Send the secret with HTTP basic authentication. It has the form user:password."
    if rule.method == "bearer":
        return "Send the secret as a bearer token: Authorization: Bearer and the secret."
    prefix = f" after {rule.prefix}" if rule.prefix else ""
    if rule.method == "rsa":
        token = f", or add the secret to the URL: ?{rule.query_token}= and the secret"
        return (
            f"Sign {SIGNED[rule.signed]} of each request by RSA-SHA256, and send the signature in "
            f"the header {rule.header}. Its public key is a setting of this source"
            f"{token if rule.query_token else ''}."
        )
    sentence = (
        f"Sign {SIGNED[rule.signed]} of each request by HMAC-{rule.algorithm.upper()} with the "
        f"secret{KEY_FORMS.get(rule.key_form, '')}, and send the signature "
        f"{ENCODINGS[rule.encoding]}{prefix} in the header {rule.header}"
    )
    if rule.signature_field:
        sentence += f", as its field {rule.signature_field}"
    if rule.timestamp_field:
        sentence += f" beside {rule.timestamp_field}, the Unix time"
    sentence += "."
    if rule.timestamp_header:
        sentence += f" Send the Unix time in the header {rule.timestamp_header}."
    if rule.id_header:
        sentence += f" Send the id in the header {rule.id_header}."
    if rule.query_token:
        sentence += f" Or add the secret to the URL: ?{rule.query_token}= and the secret."
    return sentence


def _signature_commands(rule: VerifyRule, file: str) -> tuple[list[str], list[str]]:
    """The commands that set SIGNATURE, and the headers."""
    commands, headers = [], []
    if rule.timestamp_header or rule.timestamp_field:
        commands.append("TIME=$(date +%s)")
    if rule.id_header:
        commands.append("ID=$(openssl rand -hex 12)")
        headers.append(f"{rule.id_header}: $ID")
    if rule.timestamp_header:
        headers.append(f"{rule.timestamp_header}: $TIME")
    beginning = {"timestamp.body": "$TIME.", "id.timestamp.body": "$ID.$TIME."}.get(rule.signed, "")
    key = '-hmac "$SECRET"'
    if rule.key_form == "base64":
        key = _key_decoded_from_base64("$SECRET")
    signed = f'{{ printf %s "{beginning}"; cat {file}; }}' if beginning else f"cat {file}"
    encode = (
        "base64 | tr -d '\\n'" if rule.encoding == "base64" else "od -An -v -tx1 | tr -d ' \\n'"
    )
    commands.append(
        f"SIGNATURE=$({signed} | openssl dgst -{rule.algorithm} {key} -binary | {encode})"
    )
    value = f"{_escape_for_shell(rule.prefix)}$SIGNATURE"
    if rule.signature_field:
        value = f"{rule.signature_field}={value}"
        if rule.timestamp_field:
            value = f"{rule.timestamp_field}=$TIME,{value}"
    return commands, [*headers, f"{rule.header}: {value}"]


def _standard_webhooks_commands(file: str) -> tuple[list[str], list[str]]:
    key = _key_decoded_from_base64("${SECRET#whsec_}")
    commands = [
        "TIME=$(date +%s)",
        "ID=msg_$(openssl rand -hex 12)",
        f'SIGNATURE=$({{ printf %s "$ID.$TIME."; cat {file}; }} | '
        f"openssl dgst -sha256 {key} -binary | base64 | tr -d '\\n')",
    ]
    return commands, [
        "webhook-id: $ID",
        "webhook-timestamp: $TIME",
        "webhook-signature: v1,$SIGNATURE",
    ]


def _key_decoded_from_base64(text: str) -> str:
    decoded = f"$(printf %s \"{text}\" | base64 -d | od -An -v -tx1 | tr -d ' \\n')"
    return f'-mac HMAC -macopt "hexkey:{decoded}"'


def _escape_for_shell(text: str) -> str:
    """Escape a text of the manifest for a place between double quotes."""
    return re.sub(r'(["$`\\])', r"\\\1", text)
