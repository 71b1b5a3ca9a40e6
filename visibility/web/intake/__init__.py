"""The webhook and event intake: plain ASGI beside Django."""
