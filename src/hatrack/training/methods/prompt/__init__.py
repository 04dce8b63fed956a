"""Embeddings of virtual tokens (Lester et al. 2021)."""
