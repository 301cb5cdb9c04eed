"""The kinds of answer that are compared in their own way: words, choices, ratios, residues, sets, lists, equations."""
