"""The job of a captured message: how far the message is processed, for its sender.

The EPCIS 2.0 capture interface answers with the Location of a job. Its members are those of
`EPCISCaptureJob` in the OpenAPI document of GS1.
"""

from typing import Any

import psycopg

from connectors.sdk.event_codec import format_rfc3339
from visibility.models.sources_and_messages import MessageState
from visibility.web.intake.read_request_and_respond import HttpError
from visibility.web.intake.source_cache import conninfo

SELECT_MESSAGE = """
SELECT received_at, processed_at, state, detail FROM visibility_inbound_message
WHERE id = %s AND source_id = %s
"""
# Digits of a message id.
MAX_DIGITS = 18


async def load_capture_job(source_id: int, job: str) -> dict[str, Any]:
    """Return the job of a message of this source. Raises HttpError (404) if there is none."""
    if not (job.isascii() and job.isdecimal() and len(job) <= MAX_DIGITS):
        raise HttpError(404, "Not Found")
    connection = await psycopg.AsyncConnection.connect(
        conninfo(), autocommit=True, connect_timeout=3
    )
    async with connection:
        row = await (await connection.execute(SELECT_MESSAGE, (int(job), source_id))).fetchone()
    if row is None:
        raise HttpError(404, "Not Found")
    received_at, processed_at, state, detail = row
    is_running = state == MessageState.WAITING
    is_parked = state == MessageState.PARKED
    problem = {"type": "epcisException:ValidationException", "title": "Not applied"}
    return {
        "captureID": job,
        "createdAt": format_rfc3339(received_at),
        **({"finishedAt": format_rfc3339(processed_at)} if processed_at else {}),
        "running": is_running,
        "success": state == MessageState.APPLIED,
        "captureErrorBehaviour": "proceed",
        "errors": [{**problem, "detail": detail}] if is_parked else [],
    }
