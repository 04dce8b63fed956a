"""Low-rank adaptation (Hu et al. 2021), through PEFT."""
