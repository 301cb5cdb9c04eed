A="grpo tapo continuation_anchored_mask_prefix_joint_wo_ots continuation_anchored_mask_prefix_joint_spare_turn"
python -m examples.study --regime misses --output_dir study_misses --seeds 0 1 2 --rl_seeds 0 1 2 --arms $A \
  --known_results examples/study/results/misses/results.jsonl --plan
python -m examples.study --regime misses_never --output_dir study_never --seeds 0 2 3 4 7 --rl_seeds 0 1 2 --arms $A \
  --known_results examples/study/results/misses_never/results.jsonl --plan
