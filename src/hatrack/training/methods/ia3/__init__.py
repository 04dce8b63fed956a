"""Vectors that scale activations (Liu et al. 2022), through PEFT."""
