"""Sources and their health."""
