"""Names whose form misleads a tokenizer: they end in 's, or a hyphen joins two of them."""

import re

_ENDING_IN_S = """
    Applebee Arby Bloomingdale Cabela Carrabba Chili Culver Dillard Domino Fuddrucker Hardee Hellmann Hershey
    Kellogg Kiehl Kohl Levi Lowe Macy McDonald McVitie Moody Nando Popeye Quizno Sainsbury Sotheby Wetherspoon
    Zaxby
""".split()  # noqa: SIM905
_ENDING_IN_S_AFTER = {"Trader ": "Joe", "Papa ": "John", "Jimmy ": "John", "Jersey ": "Mike", "& ": "Jerry"}
"""First names that are part of a name only after this."""
POSSESSIVE_NAMES = (
    rf"(?<![\p{{L}}\p{{N}}_])(?:{'|'.join(_ENDING_IN_S)})['’]s(?![\p{{L}}\p{{N}}_])|"
    + "|".join(
        rf"(?<={before.replace(' ', '[ ]')}){name}['’]s(?![\p{{L}}\p{{N}}_])"
        for before, name in _ENDING_IN_S_AFTER.items()
    )
)
"""Pattern of names that end in 's themselves, for `regex` in VERBOSE mode.

First names are left out, unless a company is meant far more often."""

COUNTRIES = frozenset(
    name.strip().casefold()
    for name in """
    Afghanistan, Albania, Algeria, Andorra, Angola, Antigua, Argentina, Armenia, Aruba, Australia, Austria,
    Azerbaijan, Bahamas, Bahrain, Bangladesh, Barbados, Belarus, Belgium, Belize, Benin, Bermuda, Bhutan,
    Bolivia, Bosnia, Botswana, Brazil, Britain, Brunei, Bulgaria, Burkina Faso, Burma, Burundi, Cambodia,
    Cameroon, Canada, Cape Verde, Chad, Chile, China, Colombia, Comoros, Congo, Costa Rica, Croatia, Cuba,
    Cyprus, Czechia, Denmark, Djibouti, Dominica, Dominican Republic, East Timor, Ecuador, Egypt, El Salvador,
    England, Equatorial Guinea, Eritrea, Estonia, Eswatini, Ethiopia, Fiji, Finland, France, Gabon, Gambia,
    Gaza, Georgia, Germany, Ghana, Gibraltar, Greece, Greenland, Grenada, Guatemala, Guinea, Guinea Bissau,
    Guyana, Haiti, Honduras, Hong Kong, Hungary, Iceland, India, Indonesia, Iran, Iraq, Ireland, Israel, Italy,
    Ivory Coast, Jamaica, Japan, Jordan, Kazakhstan, Kenya, Kiribati, Kosovo, Kuwait, Kyrgyzstan, Laos, Latvia,
    Lebanon, Lesotho, Liberia, Libya, Liechtenstein, Lithuania, Luxembourg, Macau, Macedonia, Madagascar,
    Malawi, Malaysia, Maldives, Mali, Malta, Mauritania, Mauritius, Mexico, Micronesia, Moldova, Monaco,
    Mongolia, Montenegro, Morocco, Mozambique, Myanmar, Namibia, Nauru, Nepal, Netherlands, New Zealand,
    Nicaragua, Niger, Nigeria, North Korea, North Macedonia, Northern Ireland, Norway, Oman, Pakistan, Palau,
    Palestine, Panama, Papua New Guinea, Paraguay, Peru, Philippines, Poland, Portugal, Puerto Rico, Qatar,
    Romania, Russia, Rwanda, Samoa, San Marino, Saudi Arabia, Scotland, Senegal, Serbia, Seychelles, Sierra
    Leone, Singapore, Slovakia, Slovenia, Somalia, South Africa, South Korea, South Sudan, Spain, Sri Lanka,
    Sudan, Suriname, Sweden, Switzerland, Syria, Taiwan, Tajikistan, Tanzania, Thailand, Tibet, Togo, Tonga,
    Trinidad, Tunisia, Turkey, Turkmenistan, Tuvalu, UAE, Uganda, UK, Ukraine, United Arab Emirates, United
    Kingdom, United States, Uruguay, US, USA, Uzbekistan, Vanuatu, Venezuela, Vietnam, Wales, Yemen, Zambia,
    Zimbabwe
    """.split(",")  # noqa: SIM905
)
CITIES = frozenset(
    name.strip().casefold()
    for name in """
    Accra, Amsterdam, Athens, Atlanta, Auckland, Baghdad, Bangkok, Barcelona, Beijing, Beirut, Belgrade, Berlin,
    Birmingham, Bogota, Boston, Brisbane, Brussels, Bucharest, Budapest, Buenos Aires, Cairo, Cape Town,
    Caracas, Chicago, Cologne, Copenhagen, Dallas, Damascus, Delhi, Denver, Detroit, Dhaka, Doha, Dubai, Dublin,
    Edinburgh, Frankfurt, Geneva, Glasgow, Hamburg, Hanoi, Havana, Helsinki, Houston, Islamabad, Istanbul,
    Jakarta, Jerusalem, Johannesburg, Kabul, Karachi, Kathmandu, Khartoum, Kiev, Kuala Lumpur, Kyiv, Lagos,
    Lahore, Las Vegas, Leeds, Lima, Lisbon, Liverpool, London, Los Angeles, Madrid, Manchester, Manila,
    Marseille, Melbourne, Mexico City, Miami, Milan, Minneapolis, Montreal, Moscow, Mumbai, Munich, Nairobi,
    Naples, New Delhi, New Orleans, New York, New York City, Osaka, Oslo, Ottawa, Paris, Philadelphia, Phoenix,
    Prague, Pyongyang, Rio de Janeiro, Riyadh, Rome, Rotterdam, San Diego, San Francisco, Santiago, Sao Paulo,
    Seattle, Seoul, Shanghai, Sofia, Stockholm, Sydney, Taipei, Tehran, Tel Aviv, Tokyo, Toronto, Tripoli,
    Tunis, Vancouver, Vienna, Warsaw, Washington, Zurich
    """.split(",")  # noqa: SIM905
)
PLACES = COUNTRIES | CITIES
"""Countries and large cities in English, case-folded: for lists and compounds of them, and for holders of office."""

_ADJECTIVE = re.compile(
    r".*[-‐‑](?:based|born|bound|led|style|backed|owned|funded|made|area|wide|educated|trained|inspired|themed|related"
    r"|listed|sized|esque|like|ish)",
    re.IGNORECASE,
)
_HYPHEN = re.compile("[-‐‑]")


def is_compound(word: str) -> bool:
    """Whether a hyphenated word is not a name itself: `Toronto-based`, `Berlin-Paris`.

    The training sets leave 15 of 18 such adjectives unlabelled.
    """
    if not _HYPHEN.search(word):
        return False
    if _ADJECTIVE.fullmatch(word):
        return True
    parts = _HYPHEN.split(word.casefold())
    return all(part in PLACES for part in parts)
