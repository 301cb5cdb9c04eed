"""A task, a tokenizer and a tiny model small enough to watch TAPO train on two CPU cores."""
