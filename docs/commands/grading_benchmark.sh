make benchmark-grading   # three minutes
