"""Low-rank adaptation with two learning rates (Hayou et al. 2024), through PEFT."""
