# Needs a network.
pip install -e .   # from a checkout; extras: .[gpu] .[cpu] .[evaluate] .[plot] .[data] .[test] .[docs]
tapo check
