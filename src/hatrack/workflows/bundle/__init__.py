"""A whole project as one signed file, for machines without a network."""
