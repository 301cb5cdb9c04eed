# Needs a GPU.
python -m verl.trainer.main_ppo +recipe=tapo \
    actor_rollout_ref.model.path=Qwen/Qwen3-8B \
    data.train_files=train.parquet data.val_files=val.parquet \
    data.max_prompt_length=1024 data.max_response_length=8192 +data.apply_chat_template_kwargs.enable_thinking=false \
    data.train_batch_size=32 actor_rollout_ref.actor.ppo_mini_batch_size=32 \
    actor_rollout_ref.actor.strategy=fsdp2 actor_rollout_ref.actor.use_dynamic_bsz=true
