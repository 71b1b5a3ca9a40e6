"""One file per alert channel."""
