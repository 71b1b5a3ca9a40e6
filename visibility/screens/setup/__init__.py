"""The checklist of what an installation needs before it is useful."""
