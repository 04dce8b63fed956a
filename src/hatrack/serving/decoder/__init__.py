"""The decoder with compiled kernels: one step for tokens of any mix of sequences and adapters."""
