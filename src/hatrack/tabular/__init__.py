"""Tables: classical models beside the language model, from a file to reasons for a single prediction."""
