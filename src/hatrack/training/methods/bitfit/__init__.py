"""The biases alone (Ben Zaken et al. 2021)."""
