"""Columns that are computed from others, the same way in training and in use, and recorded with the model."""
