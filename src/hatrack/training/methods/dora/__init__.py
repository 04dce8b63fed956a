"""Low-rank adaptation of directions, lengths apart (Liu et al. 2024), through PEFT."""
