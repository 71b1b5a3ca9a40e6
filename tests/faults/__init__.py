"""Everything that can break is broken here, on servers and processes of its own."""
