"""Where sentences of Chinese, Japanese and Korean end in a line, which often holds several (ours)."""

import re

# The full stop of Korean is that of numbers and abbreviations, so a syllable stands in front and space behind.
_END = re.compile(
    r"(?:(?:[。！？；｡]|(?<!(?<![A-Za-zＡ-Ｚ])[A-HＡ-Ｈ])．(?![0-9０-９]))+|(?<=[\uac00-\ud7af])[.!?]+(?=[」』”’）】)\"'*_]{0,8}\s))"
    r"[」』”’）】》〉)]*(?P<marks>[\"'*_]*)[」』”’）】》〉)]*"
)
_NUMBERING = re.compile(
    r"[\s*#>-]{0,12}(?:[例題题圖図图表]\s?)?(?:[(（]?(?:[0-9０-９]{1,3}|[一二三四五六七八九十]{1,3}|[①-⑳])[)）]?．|[가-하]\.\s)"
)
# The same at both ends of what they enclose.
_TWINS = ("**", "__", "*", "_", '"', "'")


def sentence_ends(line: str) -> list[int]:
    """Where the sentences of a line end, in characters, in time linear in its length.

    Closing quotation marks, brackets and emphasis belong to the sentence. A mark that looks the same at both ends
    closes what an odd number of its kind has opened before. A space belongs to what follows it, as in most models'
    tokens.

    Args:
        line: One line; its numbering (``1．``) is no sentence.
    """
    ends: list[int] = []
    before: dict[str, int] = dict.fromkeys(_TWINS, 0)
    counted = 0
    numbering = _NUMBERING.match(line)
    for match in _END.finditer(line, numbering.end() if numbering else 0):
        marks_start, marks = match.start("marks"), match["marks"]
        for twin in _TWINS:
            before[twin] += line.count(twin, counted, marks_start)
        counted = marks_start
        twin = next((twin for twin in _TWINS if marks.startswith(twin)), None)
        ends.append(marks_start if twin and before[twin] % 2 == 0 else match.end())
    return ends
