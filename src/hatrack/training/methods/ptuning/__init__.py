"""Virtual tokens from a small network (Liu et al. 2021)."""
