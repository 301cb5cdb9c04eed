python -m examples.benchmark                              # the functions alone
python -m examples.benchmark --steps 20                   # whole steps, too
python -m examples.benchmark --steps 8 --waves 16 4       # groups finish at different times
python -m examples.benchmark --steps 10 --waves 1 --mode tapo_colocate_async  # under an asynchronous trainer
