"""Fine-tuning at a provider: one run, from prepared rows to a version whose weights are elsewhere."""
