"""Kinds of columns: how the cells of each become numbers, from what was seen in training."""
