"""Search over settings by successive halving: which settings there are, which are tried next, who goes on, what came of it."""
