"""What a run writes and tools read back."""
