"""The norms alone (Zhao et al. 2023)."""
