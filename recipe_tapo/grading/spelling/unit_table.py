r"""Units that can be told apart and converted, and the words that are part of a value and no unit."""

from fractions import Fraction

# dimension: (words and symbols, factor to the first of the dimension); exact, so that 1 in is 2.54 cm.
_LENGTHS = {
    "m meter metre": 1, "km kilometer kilometre": 1000, "dm decimeter decimetre": "0.1", "cm centimeter centimetre": "0.01",
    "mm millimeter millimetre": "0.001", "nm nanometer nanometre": "1e-9", "in inch": "0.0254", "ft foot": "0.3048",
    "yd yard": "0.9144", "mi mile": "1609.344",
}  # fmt: skip
_MASSES = {
    "g gram gramme": 1, "kg kilogram kilo": 1000, "mg milligram": "0.001", "lb pound": "453.59237", "oz ounce": "28.349523125"
}  # fmt: skip
_TIMES = {
    "s sec second": 1, "min minute": 60, "h hr hour": 3600, "day": 86400, "week": 604800, "ms millisecond": "0.001",
    "month": None, "yr year": None, "decade": None, "century": None,
}  # fmt: skip
_ANGLES = {"deg degree": 1, "rad radian": None}
_MONEY = {"dollar usd": 1, "cent": "0.01", "euro eur": None, "yuan rmb": None, "rupee": None, "yen": None}
_VOLUMES = {
    "l liter litre": "0.001",
    "ml milliliter millilitre": "0.000001",
    "gallon gal": None,
    "quart": None,
    "pint": None,
}
_OTHERS = (
    ("acre", "acre"), ("celsius", "celsius"), ("fahrenheit", "fahrenheit"), ("kelvin", "kelvin"),
)  # fmt: skip
# Symbol and name, powers of length, mass and time, and the factor, as the mass counts in grams.
_DERIVED = {
    "N newton": (1, 1, -2, 1000), "J joule": (2, 1, -2, 1000), "W watt": (2, 1, -3, 1000), "Pa pascal": (-1, 1, -2, 1000),
    "Hz hertz": (0, 0, -1, 1), "ha hectare": (2, 0, 0, 10000),
}  # fmt: skip
_CJK = {
    "米": "m", "厘米": "cm", "毫米": "mm", "分米": "dm", "千米": "km", "公里": "km", "克": "g", "千克": "kg", "公斤": "kg",
    "秒": "s", "分钟": "min", "分": "min", "小时": "h", "时": "h", "天": "day", "日": "day", "周": "week", "星期": "week",
    "月": "month", "年": "yr", "度": "deg", "升": "l", "毫升": "ml", "元": "yuan",
}  # fmt: skip

Dimension = tuple[tuple[str, int], ...]
Unit = tuple[Dimension, Fraction]


def _table() -> dict[str, Unit]:
    table: dict[str, Unit] = {}

    def add(words: str, dimension: str, power: int, factor: Fraction) -> None:
        for word in words.split():
            table[word] = (((dimension, power),), factor)
            if len(word) > 2:
                table[word + "s"] = table[word]

    groups = (("length", _LENGTHS), ("mass", _MASSES), ("time", _TIMES), ("angle", _ANGLES), ("money", _MONEY))
    for dimension, group in groups:
        for words, factor in group.items():
            # What cannot be converted (a month into days) is a dimension of its own.
            name = dimension if factor is not None else words.split()[0]
            add(words, name, 1, Fraction(factor or 1))
    for words, factor in _VOLUMES.items():
        add(words, "length" if factor else words.split()[0], 3 if factor else 1, Fraction(factor or 1))
    for name, words in _OTHERS:
        add(words, name, 1, Fraction(1))
    for words, (length, mass, time, factor) in _DERIVED.items():
        powers = (("length", length), ("mass", mass), ("time", time))
        unit = (tuple((name, power) for name, power in powers if power), Fraction(factor))
        table.update(dict.fromkeys(words.split() + [f"{words.split()[1]}s"], unit))
    for word, symbol in _CJK.items():
        table[word] = table[symbol]
    for plural, singular in (
        ("feet", "foot"),
        ("inches", "inch"),
        ("centuries", "century"),
        ("hrs", "hr"),
        ("secs", "sec"),
    ):
        table[plural] = table[singular]
    for word, unit in (("mph", "mi"), ("kph", "km"), ("kmh", "km")):
        table[word] = ((("length", 1), ("time", -1)), table[unit][1] / 3600)
    return table


UNITS = _table()

# Multiples: "5 million" is 5,000,000; "3 halves" is 3/2; "5 squared" is 25.
SCALES = {
    "hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9, "trillion": 10**12, "dozen": 12,
}  # fmt: skip
SCALES |= {f"{word}s": scale for word, scale in SCALES.items()}
CJK_SCALES = {"百万": 10**6, "千万": 10**7, "百": 100, "千": 1000, "万": 10**4, "亿": 10**8, "打": 12}
PARTS = {"halves": 2, "thirds": 3, "fourths": 4, "fifths": 5, "sixths": 6, "eighths": 8, "tenths": 10} | {
    "hundredths": 100, "thousandths": 1000
}  # fmt: skip
POWERS = {"squared": 2, "cubed": 3}
# With one of these words the text says something about the number that a unit does not.
VALUE_WORDS = frozenset(
    "at than up over under below above between plus minus negative not no never none except without half third quarter "
    "twice thrice double triple factorial root inverse reciprocal opposite mod modulo base remainder and or if unless is "
    "are was were isn't aren't wrong false incorrect either neither maximum minimum approximately about nearly "
    "almost roughly to through exclusive inclusive infinity infinite".split()
) | set(SCALES) | set(PARTS)  # fmt: skip
