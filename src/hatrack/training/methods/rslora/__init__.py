"""Low-rank adaptation whose scale keeps up with the rank (Kalajdzievski 2023), through PEFT."""
