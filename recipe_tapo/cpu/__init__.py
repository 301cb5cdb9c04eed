"""verl's whole engine on a machine without accelerator."""
