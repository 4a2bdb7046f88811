"""Training: the step, the trainer, checkpoints, the learning-rate finder and the benchmark."""
