"""Patterns of URLs, e-mail addresses, handles, hashtags and cashtags, for the tokenizer.

After twitter-text's published rules (https://github.com/twitter/twitter-text). Beyond them, because a part of an
address is never a mention:

- any scheme (`ftp://`), protocol-relative URLs, `mailto:`, and hosts that no public suffix ends (`http://localhost`);
- handles of Bluesky (`@name.bsky.social`) and Mastodon (`@name@host`), with dots, and of any length;
- a host without scheme or path that ends in a country's code, in lower case and unless that is a word (`spiegel.de`,
  not `Bright.md` and `said.it`);
- hashtags that touch (`#London#Paris`).

And less than them: a capital after `,` `;` `!` `|` or `*` begins the text that follows a path, and a top-level domain
in title case begins a sentence (`hello.World`). The patterns are for `regex` in VERBOSE and IGNORECASE mode.
"""

from models.text.domains import COUNTRY, GENERIC, TOP_LEVEL, WORDS

LISTS = {"top": TOP_LEVEL, "generic": GENERIC, "country": COUNTRY, "no_word": COUNTRY - WORDS}
"""The named lists of the patterns, as `regex.compile` takes them."""

_ACCENTED = r"\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f"
_LETTER = rf"a-z0-9{_ACCENTED}\u0400-\u04ff"
_ASCII_LABEL = r"[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?"  # RFC 1035: 63 characters at most
_LABEL = r"[\p{L}\p{N}](?:[\p{L}\p{M}\p{N}_-]{0,61}[\p{L}\p{M}\p{N}])?"
_LABELS = rf"(?:{_ASCII_LABEL}\.){{1,127}}"  # 255 characters at most
_TOP_ENDS = r"(?![a-z0-9@＠_]|-[a-z0-9])"
_SENTENCE = r"(?!(?-i:\p{Lu}\p{Ll}))"
"""Before a top-level domain: not in title case."""
_TEXT_FOLLOWS = r"(?![,;!|*](?-i:\p{Lu}))"
_PATH_CHARACTER = rf"{_TEXT_FOLLOWS}[{_LETTER}!*';:=+,.$%\#\[\]\u2013_~@|&/-]"
_PARENTHESES = rf"\((?:{_PATH_CHARACTER}|\((?:{_PATH_CHARACTER})+\))+\)"
_PATH = rf"(?:/(?:(?:{_PATH_CHARACTER}|{_PARENTHESES})*(?:[{_LETTER}=_\#/+-]|{_PARENTHESES}))?)"
_QUERY = rf"(?:\?(?:{_TEXT_FOLLOWS}[a-z0-9!?*'@();:&=+$/%\#\[\]_.,~|-])*[a-z0-9_&=\#/-])"
_PORT = r"(?::\d{1,5}(?!\d))"
_AFTER_HOST = rf"{_PORT}?{_PATH}?{_QUERY}?"
_NOT_AFTER = r"(?<![a-z0-9@＠$\#＃])"
_NOT_AFTER_BARE = r"(?<![\p{Latin}\p{N}@＠$\#＃_./-])"

_SHORT = r"https?://t\.co/[a-z0-9]+(?:\?[a-z0-9=&_-]+)?"
_WITH_SCHEME = rf"https?://(?:{_LABEL}\.){{1,127}}\L<top>{_TOP_ENDS}{_AFTER_HOST}"
SCHEME = r"[a-z](?:(?![.+-]https?://)[a-z0-9+.-]){1,15}://"
"""`ftp://`; in `London-https://`, from the `h`."""
_ANY_SCHEME = rf"{SCHEME}(?:[a-z0-9._~:/?\#\[\]@!$&'()*+,;=%|-]*[a-z0-9/_=\#&%+-])?"
_BARE = rf"""
    (?:(?<!:)//)?{_LABELS}(?:
        (?:{_SENTENCE}\L<generic>|\L<country>){_TOP_ENDS}(?:{_PORT}{_PATH}?|{_PATH}){_QUERY}?
      | (?<=\.{_ASCII_LABEL}\.)\L<country>{_TOP_ENDS}{_QUERY}?
      | {_SENTENCE}\L<generic>{_TOP_ENDS}{_QUERY}?
      | (?<=(?<!\w)(?-i:[a-z0-9-]{{1,63}})\.)\L<no_word>{_TOP_ENDS}{_QUERY}?
    )
"""
URL = rf"""
    {_NOT_AFTER}(?={SCHEME})(?:{_SHORT}|{_WITH_SCHEME}|{_ANY_SCHEME})
  | {_NOT_AFTER_BARE}(?=(?://)?[a-z0-9][a-z0-9_-]{{0,62}}\.[a-z0-9])(?:{_BARE}|www\.(?:{_ASCII_LABEL}\.)*{_ASCII_LABEL}{_AFTER_HOST})
"""

_LOCAL_PART = r"[\p{L}\p{N}](?:[\p{L}\p{N}._%+-]{0,62}[\p{L}\p{N}_%+-])?"  # RFC 5321: 64 characters at most
_MAILBOX = rf"{_LOCAL_PART}@{_LABELS}[a-z]{{2,24}}(?![a-z0-9@＠])"
EMAIL = rf"""
    (?<![\p{{Latin}}\p{{N}}])(?=[\p{{L}}\p{{N}}][\w.%+:-]{{0,70}}@[a-z0-9])(?:mailto:{_MAILBOX}{_QUERY}?|{_MAILBOX})
"""

_HANDLE_MAY_FOLLOW = r"(?:(?<![a-z0-9_!\#$%&*@＠])|(?<=(?<![\w+~.-])rt))"
_NAME = r"[a-z0-9_]+"
HANDLE = rf"""
    {_HANDLE_MAY_FOLLOW}[@＠](?:
        {_NAME}(?:[.-]+{_NAME})*@{_LABELS}[a-z]{{2,24}}(?![a-z0-9])
      | {_LABELS}{_SENTENCE}\L<top>{_TOP_ENDS}
      | (?>{_NAME}(?:\.(?-i:[a-z0-9_]+))*)(?:/[a-z][a-z0-9_-]{{0,24}})?(?![@＠{_ACCENTED}]|://)
    )
"""

NO_KEYCAP = r"(?<![0-9]\ufe0f?(?=\u20e3))(?<![0-9](?=\ufe0f\u20e3))"
"""The end of what may contain digits: the last digit is not part of a keycap."""
_SPECIAL = r"\u200c\u200d\ua67e\u05be\u05f3\u05f4\uff5e\u301c\u309b\u309c\u30a0\u30fb\u3003\u0f0b\u0f0c\u00b7"
HASHTAG = rf"""
    (?:(?<![\w\p{{M}}&{_SPECIAL}])|(?<=[\#＃]\w{{1,60}}))
    [\#＃](?!\ufe0f|\u20e3)(?=[\p{{N}}_{_SPECIAL}]*[\p{{L}}\p{{M}}])(?>[\p{{L}}\p{{Mn}}\p{{Mc}}\p{{N}}_{_SPECIAL}]+{NO_KEYCAP})(?!://)
"""
NUMBER_TAG = r"(?<![\w&])[\#＃]\p{N}[\p{N}_]*(?![\p{L}\p{M}_])"
"""`#1`: not a hashtag, which has a letter."""
CASHTAG = r"(?<!\S)\$[a-z]{1,6}(?:[._][a-z]{1,2})?(?=$|\s|[!'\#%&()*+,\\.\-/:;<=>?@\[\]^_{|}~$])"
