"""Every verl symbol and signature that TAPO relies on; used by the check command and by a test."""

import sys

from recipe_tapo.engine.hooks import HOOKS
from recipe_tapo.engine.symbol import Symbol

_TRAINER = "verl.trainer.ppo.v1.trainer_base:PPOTrainer"
_WORKER = "verl.trainer.ppo.v1.agent_loop_tq:AgentLoopWorkerTQ"
_ENGINE = "verl.workers.engine_workers"
_SFT_DATASET = "verl.utils.dataset.multiturn_sft_dataset:MultiTurnSFTDataset"
_SFT_TRAINER = "verl.trainer.sft_trainer:SFTTrainer"

SYMBOLS = (
    Symbol("verl.trainer.ppo.core_algos:register_adv_est", ("name_or_enum",)),
    Symbol("verl.trainer.ppo.core_algos:ADV_ESTIMATOR_REGISTRY"),
    Symbol("verl.trainer.ppo.core_algos:get_adv_estimator_fn", ("name_or_enum",)),
    Symbol("verl.trainer.ppo.core_algos:AdvantageEstimator.GRPO"),
    Symbol("verl.trainer.ppo.core_algos:register_policy_loss", ("name",)),
    Symbol("verl.trainer.ppo.core_algos:POLICY_LOSS_REGISTRY"),
    Symbol("verl.trainer.ppo.core_algos:get_policy_loss_fn", ("name",)),
    Symbol(
        "verl.trainer.ppo.core_algos:agg_loss",
        ("loss_mat", "loss_mask", "loss_agg_mode", "dp_size", "batch_num_tokens", "global_batch_size"),
    ),
    Symbol("verl.trainer.ppo.core_algos:kl_penalty", ("logprob", "ref_logprob", "kl_penalty")),
    Symbol("verl.utils.torch_functional:masked_sum"),
    Symbol("verl.utils.device:get_device_name"),
    Symbol("verl.trainer.ppo.v1.trainer_base:TRAINER_REGISTRY"),
    Symbol("verl.trainer.ppo.v1.trainer_base:get_trainer_cls", ("name",)),
    Symbol("verl.trainer.ppo.v1.trainer_sync:PPOTrainerSync"),
    Symbol("verl.trainer.ppo.v1.trainer_colocate_async:PPOTrainerColocateAsync"),
    Symbol("verl.trainer.ppo.v1.trainer_separate_async:PPOTrainerSeparateAsync"),
    Symbol("verl.experimental.separation.engine_workers:DetachActorWorker"),
    Symbol("verl.trainer.ppo.v1.replay_buffer:ReplayBuffer.__init__", ("trainer_mode", "poll_interval")),
    Symbol("verl.trainer.ppo.v1.replay_buffer:ReplayBufferAsync.__init__", ("trainer_mode", "poll_interval")),
    Symbol("verl.workers.rollout.llm_server:FullyAsyncLLMServerClient.generate", ("request_id", "prompt_ids")),
    # One version of the weights for each step (staleness_metrics).
    Symbol(f"{_TRAINER}._compute_metrics", source="(global_steps - 1) - max_global_steps"),
    # Optimizer steps on a batch of so many rollouts (num_mini_batch).
    Symbol(
        f"{_TRAINER}._get_required_batch_multiple",
        source="actor_global_mini_batch_size *= self.config.actor_rollout_ref.rollout.n",
    ),
    # A group's constructed rows go with its rollouts: found by what stands before the key's first underscore.
    Symbol(f"{_TRAINER}._reissue_inflight_prompts", source='key.split("_", 1)[0] in inflight_uid_set'),
    # How verl names rows and finds those of a group: engine/rows.py has the same format.
    Symbol(f"{_WORKER}._agent_loop_postprocess", source='f"{uid}_{session_id}_{i}"'),
    Symbol("verl.trainer.ppo.v1.replay_buffer:ReplayBuffer", source='key.split("_")[0]'),
    Symbol("verl.trainer.ppo.padding_utils:upsample_batch_to_divisible_size", source='f"pad{uuid'),
    Symbol("vllm.sampling_params:StructuredOutputsParams", ("choice",)),
    # Before anything is asked to be sampled, under any trainer, a resumed run sets its later steps' dump aside.
    Symbol(f"{_TRAINER}.fit", source="self._reissue_inflight_prompts()"),
    # What the run scripts count on: of epochs and steps the first ends a run; the last step is saved and validated.
    Symbol(f"{_TRAINER}.fit", source="while current_epoch < self.config.trainer.total_epochs and self.global_steps <="),
    Symbol(f"{_TRAINER}.fit", source="is_last_step or self.global_steps % self.config.trainer.save_freq == 0"),
    Symbol(f"{_TRAINER}.fit", source="is_last_step or self.global_steps % self.config.trainer.test_freq == 0"),
    # A session's last output stands for it (final_rows), and LoRA's reference policy is the actor (batch_multiple).
    Symbol("verl.trainer.ppo.v1.utils:compute_advantage_for_multi_trajectories", source='key.rsplit("_", 2)'),
    Symbol(f"{_TRAINER}._setup", source="self.ref_in_actor = "),
    Symbol(f"{_TRAINER}._init_tokenizer"),
    Symbol(f"{_TRAINER}.on_step_begin"),
    Symbol(f"{_TRAINER}.on_sample_begin"),
    Symbol(f"{_TRAINER}._init_dump_executor", source="self._dump_executor = ThreadPoolExecutor"),
    Symbol(f"{_TRAINER}._shutdown_dump_executor", source="for f in self._dump_futures"),
    Symbol(f"{_TRAINER}._init_resource_pool_mgr"),
    Symbol(f"{_TRAINER}._balance_batch", ("batch", "metrics")),
    Symbol(f"{_TRAINER}._get_required_batch_multiple", ("dp_size",)),
    Symbol(f"{_TRAINER}._compute_old_log_prob", ("batch", "metrics")),
    Symbol(f"{_TRAINER}._compute_advantage", ("batch", "metrics")),
    Symbol(f"{_TRAINER}._update_actor", ("batch", "metrics")),
    Symbol(f"{_TRAINER}._compute_metrics", ("batch", "metrics", "timing_raw", "global_steps", "epoch")),
    Symbol("verl.utils.debug.metrics:calculate_debug_metrics", ("data",)),
    Symbol("verl.utils.config:omega_conf_to_dataclass"),
    Symbol("verl.protocol:DataProto"),
    Symbol(f"{_ENGINE}:ActorRolloutRefWorker.actor_worker_cls"),
    Symbol(f"{_ENGINE}:ActorRolloutRefWorker.init_model", source="self.actor = self.actor_worker_cls("),
    # actor.shuffle reaches the mini-batches through these arguments of torch's DataLoader.
    Symbol(f"{_ENGINE}:TrainingWorker.train_mini_batch", ("data",), source='key="dataloader_kwargs"'),
    Symbol(f"{_ENGINE}:TrainingWorker.train_batch", ("data",)),
    Symbol("verl.utils.tensordict_utils:get", ("key",)),
    Symbol("verl.utils.tensordict_utils:assign_non_tensor"),
    Symbol(f"{_WORKER}._run_prompt", ("prompt", "sampling_params", "trajectory", "trace")),
    Symbol(f"{_WORKER}._run_agent_loop", ("sampling_params", "trajectory")),
    Symbol(f"{_WORKER}._agent_loop_postprocess", ("output", "validate")),
    Symbol(f"{_WORKER}._compute_score", ("outputs", "kwargs")),
    Symbol("verl.trainer.ppo.v1.agent_loop_tq:AgentLoopManagerTQ"),
    Symbol("verl.experimental.agent_loop.agent_loop:AgentLoopMetrics"),
    Symbol("verl.experimental.agent_loop.agent_loop:AgentLoopOutput"),
    Symbol("verl.workers.rollout.llm_server:LLMServerClient.generate", ("request_id", "prompt_ids", "sampling_params")),
    Symbol("verl.workers.rollout.llm_server:LLMServerClient._acquire_server", ("request_id",)),
    Symbol("verl.workers.rollout.llm_server:LLMServerClient.generate", source="await server.generate.remote("),
    Symbol("verl.workers.rollout.replica:TokenOutput"),
    Symbol("verl.workers.rollout.utils:get_max_position_embeddings", ("hf_config",)),
    Symbol("verl.workers.rollout.vllm_rollout.utils:extract_prompt_logprobs"),
    Symbol("verl.workers.rollout.vllm_rollout.utils:vLLMColocateWorkerExtension._get_zmq_handle"),
    Symbol("verl.workers.rollout.vllm_rollout.vllm_async_server:vLLMHttpServer.generate", ("priority",)),
    Symbol("ray.runtime_context:RuntimeContext.gcs_address"),
    Symbol("ray._private.services:canonicalize_bootstrap_address", ("addr",)),
    Symbol("ray._private.internal_api:get_state_from_address", ("address",)),
    Symbol("ray._private.utils:get_num_cpus"),
    Symbol(
        "verl.single_controller.ray.base:RayResourcePool.get_placement_groups",
        source='{"CPU": self.max_colocate_count}',
    ),
    Symbol(f"{_SFT_DATASET}._process_single_message", ("index", "message", "full_message", "tools", "enable_thinking")),
    Symbol(f"{_SFT_DATASET}.sanity_check", ("input_ids", "messages", "tools", "enable_thinking")),
    Symbol(f"{_SFT_TRAINER}.__init__", ("config",), source="self.ckpt_handler.load_checkpoint()"),
    Symbol(f"{_SFT_TRAINER}._init_engine"),
    Symbol(f"{_SFT_TRAINER}._build_ckpt_handler"),
    Symbol(f"{_SFT_TRAINER}.fit", source="start_epoch = global_step // self.steps_per_epoch"),
    Symbol("verl.utils.checkpoint:CheckpointHandler._determine_resume_path"),
    Symbol("verl.utils.checkpoint:CheckpointHandler._load_dataloader_state", source='f"data_{dp_rank}.pt"'),
    Symbol("verl.utils.checkpoint.checkpoint_manager:get_checkpoint_tracker_filename", ("root_path",)),
    Symbol("verl.utils.device:auto_set_device", ("config",)),
    Symbol("verl.utils.distributed:initialize_global_process_group"),
    Symbol("verl.utils.distributed:destroy_global_process_group"),
    Symbol("verl.utils.tokenizer.chat_template:apply_chat_template", ("processor", "messages", "tools")),
    Symbol("verl.utils.tokenizer.tokenizer:normalize_token_ids"),
    Symbol("verl.plugin.platform.platform_base:PlatformBase"),
    Symbol("transfer_queue:async_kv_put", ("key", "partition_id", "tag")),
    Symbol("transfer_queue:async_kv_batch_put", ("keys", "partition_id", "fields", "tags")),
    Symbol("transfer_queue:async_kv_clear", ("keys", "partition_id")),
    Symbol("transfer_queue:kv_batch_get", ("keys", "partition_id", "select_fields")),
    Symbol("transfer_queue:kv_clear", ("keys", "partition_id")),
    Symbol("transfer_queue:kv_list", ("partition_id",)),
    Symbol("transfer_queue:kv_batch_put", ("keys", "partition_id", "fields")),
    Symbol("transfer_queue:KVBatchMeta.select_keys", ("keys_to_select",)),
    *(hook.symbol for hook in HOOKS if hook.symbol.module not in sys.stdlib_module_names),
)
