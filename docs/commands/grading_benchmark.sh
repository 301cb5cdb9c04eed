PYTHONPATH=. python tests/support/grading_benchmark.py --worst
