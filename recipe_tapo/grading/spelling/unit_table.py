r"""Units that can be told apart and converted, and the words that are part of a value and no unit."""

from fractions import Fraction

# Dimension, words and symbols, and the exact factor to the dimension's first unit (mass counts in grams). What cannot
# be converted, such as a month into days, is a dimension of its own. Words of three letters and more may end in "s".
_TABLE = """\
length | m meter metre 米 | 1
length | km kilometer kilometre 千米 公里 | 1000
length | dm decimeter decimetre 分米 | 1/10
length | cm centimeter centimetre 厘米 | 1/100
length | mm millimeter millimetre 毫米 | 1/1000
length | in inch inches | 254/10000
length | ft foot feet | 3048/10000
length | yd yard | 9144/10000
length | mi mile | 1609344/1000
mass | g gm gram gramme 克 | 1
mass | kg kilogram kilo 千克 公斤 | 1000
mass | mg milligram 毫克 | 1/1000
mass | lb pound | 45359237/100000
mass | oz ounce | 28349523125/1000000000
time | s sec second 秒 | 1
time | ms millisecond 毫秒 | 1/1000
time | min minute 分钟 分 | 60
time | h hr hour 小时 时 | 3600
time | day 天 日 | 86400
time | week 周 星期 | 604800
month | month 月 | 1
year | yr year 年 | 1
decade | decade | 1
century | century centuries | 1
angle | deg degree 度 | 1
radian | rad radian 弧度 | 1
dollar | dollar usd | 1
dollar | cent | 1/100
euro | euro eur 欧元 | 1
yuan | yuan rmb 元 | 1
yen | yen 日元 | 1
rupee | rupee | 1
length^3 | l liter litre 升 | 1/1000
length^3 | ml mL milliliter millilitre 毫升 | 1/1000000
gallon | gallon gal | 1
quart | quart | 1
pint | pint | 1
acre | acre | 1
length^2 | ha hectare 公顷 | 10000
celsius | celsius | 1
fahrenheit | fahrenheit | 1
kelvin | kelvin | 1
length time^-1 | mph | 1609344/3600000
length time^-1 | kph kmh | 10/36
length mass time^-2 | N newton | 1000
length^2 mass time^-2 | J joule | 1000
length^2 mass time^-3 | W watt | 1000
length^-1 mass time^-2 | Pa pascal | 1000
time^-1 | Hz hertz | 1
"""

Dimension = tuple[tuple[str, int], ...]
Unit = tuple[Dimension, Fraction]


def _read_table() -> dict[str, Unit]:
    units: dict[str, Unit] = {}
    for line in _TABLE.splitlines():
        dimensions, words, factor = line.split(" | ")
        powers = (part.partition("^")[::2] for part in dimensions.split())
        unit = tuple(sorted((name, int(power or 1)) for name, power in powers)), Fraction(factor)
        for word in words.split():
            units[word] = unit
            if len(word) > 2 and word.isascii():
                units.setdefault(f"{word}s", unit)
    return units


UNITS = _read_table()

# Multiples: "5 million" is 5,000,000; "3 halves" is 3/2; "5 squared" is 25.
SCALES = {
    "hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9, "trillion": 10**12, "dozen": 12,
}  # fmt: skip
SCALES |= {f"{word}s": scale for word, scale in SCALES.items()} | {"tens": 10}
CJK_SCALES = {"十": 10, "百万": 10**6, "千万": 10**7, "百": 100, "千": 1000, "万": 10**4, "亿": 10**8, "打": 12}
PARTS = {"halves": 2, "thirds": 3, "fourths": 4, "fifths": 5, "sixths": 6, "sevenths": 7, "eighths": 8} | {
    "ninths": 9, "tenths": 10, "elevenths": 11, "twelfths": 12, "hundredths": 100, "thousandths": 1000
}  # fmt: skip
POWERS = {"squared": 2, "cubed": 3}
# With one of these words the text says something about the number that a unit does not.
_VALUE_WORDS = (
    "at than up over under below above between plus minus negative not no never none except without half third quarter "
    "twice thrice double triple doubled tripled "
    "halved factorial root inverse reciprocal opposite mod modulo base remainder and or if unless "
    "is are was were isn't aren't wrong false incorrect either neither maximum minimum approximately about nearly "
    "almost roughly to through exclusive inclusive infinity infinite"
)
VALUE_WORDS = frozenset(_VALUE_WORDS.split()) | set(SCALES) | set(PARTS)
