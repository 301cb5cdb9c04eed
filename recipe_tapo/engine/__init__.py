"""What touches verl, Ray, TransferQueue or Hydra; ``cpu`` has what only a machine without an accelerator needs."""
