"""Fine-tuning at a provider: who does it."""
