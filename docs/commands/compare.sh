tapo compare evaluations/grpo evaluations/tapo --report comparison.html
