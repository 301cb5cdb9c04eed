"""From a finished group to constructed trajectories: asynchronous, without Ray and verl."""
