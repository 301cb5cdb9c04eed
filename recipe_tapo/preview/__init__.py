"""What a policy's constructions would be, before anyone trains on them."""
