"""What can go wrong with corpora. Each message is one line: what, where, what to do."""


class CorpusError(Exception):
    """The corpus is not finished, or not what it should be."""


class EngineError(Exception):
    """There is nobody to do the work, or no more; what was finished is kept."""
