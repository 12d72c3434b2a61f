"""Top-level domains, from the snapshot of the Public Suffix List that ships in `publicsuffixlist`; no network."""

from pathlib import Path

from publicsuffixlist import PSLFILE

_END_OF_ICANN = "// ===END ICANN DOMAINS==="


def _top_level() -> frozenset[str]:
    """The last labels of all ICANN suffixes, in lower case; international ones in Unicode and in Punycode."""
    icann = Path(PSLFILE).read_text(encoding="utf-8").partition(_END_OF_ICANN)[0]
    rules = [line.split()[0] for line in icann.splitlines() if line and not line.startswith("//")]
    names = {rule.rpartition(".")[2] for rule in rules}
    return frozenset(names | {name.encode("idna").decode() for name in names})


TOP_LEVEL = _top_level()
COUNTRY = frozenset(name for name in TOP_LEVEL if name.isascii() and len(name) == 2)
GENERIC = frozenset(name for name in TOP_LEVEL if name.isascii() and len(name) > 2)
WORDS = frozenset("ai am an as at be by do id im in io is it la ma me my no pa pm so to us vs".split())  # noqa: SIM905
"""Country codes that are also words: `it.is` lacks a space after its full stop more often than it is a host."""
