"""Data preparation: public data sets -> the parquet files of training and evaluation.

Each step is a command of its own, run from a checkout as ``python -m data_prep.<name>``.
"""
