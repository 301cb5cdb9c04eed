tapo reflect evaluations/before evaluations/after --output reflection --judge examples.arithmetic.step_judge:judge
