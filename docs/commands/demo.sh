make demo   # watch TAPO train a small model on verl's real engine: two CPU cores, about seven minutes
make test   # run the tests
