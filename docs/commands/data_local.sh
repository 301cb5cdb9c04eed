python -m data_prep.benchmarks --local_dataset_path downloads/benchmarks --local_save_dir data
python -m data_prep.deepscaler --local_dataset_path downloads/deepscaler.json --local_save_dir data
