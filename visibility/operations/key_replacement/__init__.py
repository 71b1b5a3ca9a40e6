"""What a new SECRET_KEY needs: what depends on an older key, and how it is renewed."""
