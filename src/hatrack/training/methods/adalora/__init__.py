"""Low-rank adaptation with a budget of ranks (Zhang et al. 2023), through PEFT."""
