"""Several LoRA adapters of one base made into one."""
