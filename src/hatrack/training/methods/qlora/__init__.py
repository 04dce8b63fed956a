"""Low-rank adaptation beside a base in 4 bits (Dettmers et al. 2023)."""
