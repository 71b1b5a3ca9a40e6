"""What pages read: lists, numbers, tiles."""
