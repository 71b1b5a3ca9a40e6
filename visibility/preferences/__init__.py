"""What people choose for themselves: saved views and columns of lists."""
