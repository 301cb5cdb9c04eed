"""Values of closed expressions, exactly where they are rational, to as many digits as it takes where they are not."""
