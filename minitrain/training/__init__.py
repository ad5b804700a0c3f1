"""Training: data into batches, what is minimised and measured, callbacks; `minitrain.models` stands on it."""
