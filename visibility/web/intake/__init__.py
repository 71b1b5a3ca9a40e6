"""The webhook and event intake: raw ASGI applications outside Django."""
