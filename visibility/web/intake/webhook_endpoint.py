"""The webhook intake, a raw ASGI app. 202 means that the message is committed in PostgreSQL."""

from datetime import datetime

import orjson
from django.conf import settings
from structlog.stdlib import get_logger

from connectors.sdk.auth import InvalidSignature, MalformedSignatureHeader
from connectors.sdk.connector import RawMessage
from connectors.sdk.webhook_and_poll_types import WebhookRequest
from visibility.ingest.message_of_request import build_message_to_store
from visibility.ingest.parse_payload_without_storing import try_message
from visibility.ingest.source_secrets import unexpired_signing_secrets
from visibility.ingest.unstored_requests import (
    TEST_HEADER,
    ReceivedRequest,
    is_test_header_valid,
)
from visibility.web.intake.answer_and_count_rejections import (
    SourceSlugOfRequest,
    answer_rejections,
    http_error_with_random_retry_after,
)
from visibility.web.intake.capture_jobs import load_capture_job
from visibility.web.intake.read_request_and_respond import (
    HttpError,
    Receive,
    Scope,
    Send,
    build_webhook_request,
    check_inflated_size,
    is_gzip_encoding_or_raise,
    parse_headers_within_limits,
    read_body,
    send_response,
)
from visibility.web.intake.source_cache import IntakeSource, SourceCache

log = get_logger(__name__)
PREFIX = "/hooks/"


class WebhookEndpoint:
    """POST /hooks/<source>, and below it the path of the connector's jobs (`job_path`)."""

    def __init__(self, sources: SourceCache) -> None:
        self.sources = sources

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        slug = scope["path"].removeprefix(PREFIX).partition("/")[0]
        sender = SourceSlugOfRequest(slug)
        async with answer_rejections(self.sources, sender, send):
            await self._verify_store_and_respond(sender, scope, receive, send)

    async def _verify_store_and_respond(
        self, sender: SourceSlugOfRequest, scope: Scope, receive: Receive, send: Send
    ) -> None:
        slug = sender.slug
        headers = parse_headers_within_limits(scope)
        if marker := headers.get(TEST_HEADER):
            sender.is_test = is_test_header_valid(marker, slug)
        source = await self.sources.find_source_by_slug(slug)
        if source is None:
            raise HttpError(404, "Not Found")
        job = job_of_path(source, scope["path"])
        gzipped = is_gzip_encoding_or_raise(headers)
        limit = settings.MAX_FILE_BODY if source.connector.accepts_files else settings.MAX_BODY
        body = await read_body(receive, headers, limit=limit, seconds=settings.BODY_TIMEOUT)
        sender.size = len(body)
        request = build_webhook_request(scope, headers, body)
        secrets = unexpired_signing_secrets(source.secrets, self.sources.estimated_database_time())
        reply = source.connector.handshake(request, secrets)
        if reply is not None:
            await send_response(
                send,
                reply.status,
                reply.body,
                content_type=reply.content_type,
                headers=reply.headers,
            )
            return
        is_job_request = bool(job) and request.method == "GET"
        if not is_job_request and (job or request.method != "POST"):
            allowed = "GET" if job else "POST"
            raise HttpError(405, "Method Not Allowed", headers={"allow": allowed})
        if gzipped:
            check_inflated_size(body, limit=settings.MAX_INFLATED)
        try:
            source.connector.verify(request, secrets, self.sources.estimated_database_time())
        except InvalidSignature as error:
            reason = why_signature_is_invalid(
                source, request, error, self.sources.estimated_database_time()
            )
            detail = "the signature is invalid"
            raise HttpError(
                401,
                "Unauthorized",
                detail=detail,
                reason=reason,
                has_body=not source.connector.has_empty_rejections,
            ) from None
        except MalformedSignatureHeader as error:
            raise HttpError(400, "Bad Request", detail=str(error)) from None
        if not source.take_rate_limit_token():
            raise http_error_with_random_retry_after(429, "Too Many Requests")
        if is_job_request:
            content = orjson.dumps(await load_capture_job(source.source_id, job))
            await send_response(send, 200, content, headers=source.connector.job_headers)
            return
        if sender.is_test:
            await self._read_without_storing_and_respond(source, request, send)
            return
        stored = await self.sources.writer.store(
            build_message_to_store(
                source.source_id, source.connector, source.connector.dedupe_key(request), request
            )
        )
        self.sources.nudge_workers()
        vendor_response = source.connector.success_response()
        if vendor_response is not None:
            await send_response(
                send,
                vendor_response.status,
                vendor_response.body,
                content_type=vendor_response.content_type,
            )
            return
        status = "accepted" if stored.is_new else "duplicate"
        await send_response(
            send,
            202,
            orjson.dumps({"message_id": str(stored.message_id), "status": status}),
            headers=job_headers_of_message(source, stored.message_id),
        )

    async def _read_without_storing_and_respond(
        self, source: IntakeSource, request: WebhookRequest, send: Send
    ) -> None:
        """Record what a test event says. It becomes no message, so no order can change."""
        now = self.sources.estimated_database_time()
        message = build_message_to_store(
            source.source_id, source.connector, source.connector.dedupe_key(request), request
        )
        raw = RawMessage(message.body, message.headers, now)
        try:
            reading = try_message(source.connector, raw)
        except Exception as error:  # shown on the source, as the worker records it on a message
            log.warning("test_event_failed", source=source.slug, exc_info=error)
            reading = {"parked": f"the connector failed ({type(error).__name__})"}
        self.sources.unstored.record(
            ReceivedRequest(
                source.source_id, now, 200, size=len(request.body), is_test=True, reading=reading
            )
        )
        await send_response(send, 200, orjson.dumps({"status": "test", **reading}))


def job_of_path(source: IntakeSource, path: str) -> str:
    """Return the job that the path names, or "". Raises HttpError (404) for an unknown path."""
    name, _, job = path.removeprefix(PREFIX).partition("/")[2].partition("/")
    if not name:
        return ""
    if name != source.connector.job_path:
        raise HttpError(404, "Not Found")
    return job.rstrip("/")


def job_headers_of_message(source: IntakeSource, message_id: int) -> dict[str, str]:
    """Return the Location of the job of a stored message, if senders expect one."""
    connector = source.connector
    if not connector.job_path:
        return {}
    location = f"{PREFIX}{source.slug}/{connector.job_path}/{message_id}"
    return {"location": location, **connector.job_headers}


def why_signature_is_invalid(
    source: IntakeSource, request: WebhookRequest, error: InvalidSignature, now: datetime
) -> str:
    """Return why, for people: the connector's reason, or which secret signed the request."""
    expired = [
        secret.value.encode()
        for secret in source.secrets
        if not secret.setting and secret.until is not None and secret.until <= now
    ]
    if not expired:
        return str(error)
    try:
        source.connector.verify(request, expired, now)
    except (InvalidSignature, MalformedSignatureHeader):
        return str(error)
    return "it is signed with an old secret that is no longer valid"
