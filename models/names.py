"""Names of files as records and lines can hold them."""

import os
import re
import unicodedata

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def plain_name(name: str) -> str:
    """A file's name as it is compared and told: of composed letters (NFC; some file systems give them
    apart), and U+FFFD for what no record or line could hold: bytes that are no UTF-8, line breaks.
    """
    told = os.fsencode(name).decode("utf-8", "replace")
    return _CONTROL.sub("\ufffd", unicodedata.normalize("NFC", told))
