make test                                       # unit tests and tests in a browser
make test PYTEST_ARGS=tests/unit/algorithm      # one folder
