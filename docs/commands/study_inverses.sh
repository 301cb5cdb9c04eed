A="grpo tapo continuation_anchored_mask_prefix_joint continuation_anchored_mask_prefix_joint_wo_ots"
python -m examples.study --regime inverses --output_dir study_inverses --seeds 0 1 2 --rl_seeds 0 1 2 --arms $A \
  --known_results examples/study/results/inverses/results.jsonl --plan
