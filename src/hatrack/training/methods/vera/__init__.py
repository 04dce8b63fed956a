"""Vectors around shared random matrices (Kopiczko et al. 2023), through PEFT."""
