"""The notice in a checkpoint with a lexicon: the sources and the licence of its word frequencies.

The lexicon (models/hashtags/lexicon.py) is derived from published word lists. One of them requires the same licence for
derived works. The notice does not cover the other weights."""

from pathlib import Path

from models.hashtags.lexicon import LexiconConfig

NOTICE = "NOTICE.txt"
TEXT = """\
Word frequencies in this checkpoint
===================================

The tensors `segmenter.lexicon_*` in model.safetensors (`lexicon_*` in a segmenter's own file) are a list of English
words and pairs of words with the logarithms of their frequencies. They were computed from the sources below, and are
available under the Creative Commons Attribution-ShareAlike 4.0 International licence (CC BY-SA 4.0),
https://creativecommons.org/licenses/by-sa/4.0/

- wordfreq, by Robyn Speer. Its data may be redistributed under CC BY-SA 4.0, and comes from Google Books Ngrams
  (http://books.google.com/ngrams), the Leeds Internet Corpus (University of Leeds, Centre for Translation Studies),
  Wikipedia, ParaCrawl, OPUS OpenSubtitles 2018 (http://www.opensubtitles.org/), the freely available SUBTLEX word
  lists by Marc Brysbaert et al., and statistics of Twitter and Reddit.
- wordsegment, by Grant Jenks, Apache License 2.0. Its counts are derived from the Google Web Trillion Word Corpus,
  as distributed by the Linguistic Data Consortium (LDC2006T13) and by Peter Norvig (http://norvig.com/ngrams/).

Changes: apostrophes were left out; words other than of ASCII letters and digits, and rare words and pairs, were left
out; shares were turned into logarithms, rounded to 16 bits; how often pairs of words occur in the social-media posts
that the segmenter was trained with was added.
"""


def write_notice(directory: Path, lexicon: LexiconConfig) -> None:
    """Write the notice to the folder of a checkpoint, if its segmenter has words."""
    if lexicon.words:
        (directory / NOTICE).write_text(TEXT, encoding="utf-8")
