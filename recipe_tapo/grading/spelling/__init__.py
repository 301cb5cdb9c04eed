"""One spelling for what is written in many ways: characters, wrappers, numerals, units."""
