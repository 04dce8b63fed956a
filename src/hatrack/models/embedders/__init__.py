"""Texts to vectors, for retrieval."""
