"""Whether responses reflect on their own errors, as a judge sees it, and the rates that follow (paper, §4)."""
