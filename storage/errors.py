"""What can go wrong with files. Each message is one line: what, where, what to do."""


class StorageError(Exception):
    """Any trouble with a film, a delivery or the vault."""

    final = True
    """Trying the same thing again would fail the same way."""


class SourceError(StorageError):
    """The source film cannot be used as it is."""


class UnreachableSource(SourceError):
    """It is not there, or the disk or the network does not give it: of the film itself nothing is known."""


class VaultError(StorageError):
    """The vault, or something in it, cannot be read or written."""
