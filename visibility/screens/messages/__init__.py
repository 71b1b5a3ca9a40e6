"""Messages, parked messages and lineage."""
