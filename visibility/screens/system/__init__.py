"""The system page: what runs, what waits, what is stored, and when it was backed up."""
