python -m examples.study --regime misses --output_dir study_misses --seeds 0 1 2 --rl_seeds 0 1 2 \
  --arms grpo tapo continuation_anchored_mask_prefix_joint_wo_ots continuation_anchored_mask_prefix_joint_spare_turn \
  --known_results examples/study/results/misses/results.jsonl --plan
