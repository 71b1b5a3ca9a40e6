"""The page of the organization."""
