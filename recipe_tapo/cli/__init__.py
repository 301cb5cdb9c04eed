"""What every command line of the project shares: one-line errors, atomic output, tables."""
