python -m examples.cpu_demo.questions --output_dir outputs/arithmetic
python -m verl.trainer.main_ppo '+recipe=[tapo,cpu,cpu_demo]' \
    actor_rollout_ref.model.path=$PWD/examples/cpu_demo/checkpoint \
    data.train_files=outputs/arithmetic/train.parquet data.val_files=outputs/arithmetic/val.parquet \
    trainer.total_training_steps=40 tapo.dump_dir=outputs/arithmetic/constructions
