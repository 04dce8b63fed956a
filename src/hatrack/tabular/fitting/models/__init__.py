"""Models that can be fitted; each leaves a scorer."""
