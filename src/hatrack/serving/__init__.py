"""Which adapters are resident, and who may use the base now."""
