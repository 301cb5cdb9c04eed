"""Every line that touches verl, Ray, TransferQueue or Hydra."""
