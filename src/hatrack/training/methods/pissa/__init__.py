"""Low-rank adaptation from principal parts (Meng et al. 2024), through PEFT."""
