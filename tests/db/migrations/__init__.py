"""What data migrations do with existing rows."""
