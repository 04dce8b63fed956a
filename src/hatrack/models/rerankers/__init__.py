"""A second, closer look at passages that were found."""
