# Needs a network.
pip install -e .   # from a checkout; extras: .[gpu] .[cpu] .[data] .[test] .[docs]
tapo check
