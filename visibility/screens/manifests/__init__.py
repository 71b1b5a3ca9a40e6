"""Pages of manifests."""
