"""GGUF, the files of llama.cpp: its names and its order of rows, adapters and whole models in it, numbers of few bits."""
