"""Responses of a model, drawn with vLLM or from a server, kept in a store that survives interruption."""
