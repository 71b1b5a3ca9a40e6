"""Each recipe of CONTRIBUTING, performed on a copy of the repository."""
