# Needs a GPU.
python -m verl.trainer.main_ppo +recipe=tapo \
    actor_rollout_ref.model.path=Qwen/Qwen3-8B \
    data.train_files=train.parquet data.val_files=val.parquet \
    data.train_batch_size=32 actor_rollout_ref.actor.ppo_mini_batch_size=32 \
    actor_rollout_ref.actor.use_dynamic_bsz=true
