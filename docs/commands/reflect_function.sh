tapo reflect evaluations/grpo evaluations/tapo --output reflection --judge examples.arithmetic.step_judge:judge
