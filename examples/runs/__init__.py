"""One training run of verl: its command, its process, its metrics file, and on which machine and commit it ran."""
