"""The guide: the documents of `docs/`, served under `/help` with a search."""
