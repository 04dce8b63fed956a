"""Gated prompts in attention (Zhang et al. 2023), through PEFT."""
