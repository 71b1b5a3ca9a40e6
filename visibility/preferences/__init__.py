"""What people choose: saved views and columns of lists, and what holds for the organization."""
