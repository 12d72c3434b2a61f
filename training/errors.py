"""Readers of CoNLL-style NER files: Twitter-2015/2017 (`IMGID:` lines), WNUT-17, BTC, Tweebank.

First column token, last column BIO tag; a blank line ends a post; an O without a token is left out, with a warning.
OTHER is read as MISC. Orphan `I-` tags are kept in `tags` (scoring reads them strictly, as no entity) and are O in
`training_tags`.
"""

from models.core.errors import TrimodError


class DataError(TrimodError):
    """A data file that is missing or malformed; the message names file and line."""
