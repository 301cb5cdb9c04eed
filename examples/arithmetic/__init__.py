"""The task of the demo, the study and the benchmark: chains of arithmetic modulo 13, with true steps to judge by."""
