"""What can go wrong with restorers and weights. Each message is one line: what, where, what to do."""


class WeightsError(ValueError):
    """Weights are missing, damaged or of something else."""


class UnknownRestorer(ValueError):
    """No restorer has that name here."""
