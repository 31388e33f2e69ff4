"""What can go wrong with weights. Each message is one line: what, where, what to do."""


class WeightsError(ValueError):
    """Weights are missing, damaged or of something else."""
