"""Responses of a model, drawn with vLLM or from a server, kept in a journal that survives interruption."""
