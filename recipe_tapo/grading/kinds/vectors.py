r"""Vectors and matrices: ``\mathbf{i}+2\mathbf{j}``, rows and columns, compared component by component."""

import re
from typing import TypeGuard

from recipe_tapo.grading.kinds.brackets import bracketed
from recipe_tapo.grading.normalise import split_top_level
from recipe_tapo.grading.outcome import Equal, Outcome, every
from recipe_tapo.grading.values.identity import closed

_UNIT_VECTORS = ("\\veci", "\\vecj", "\\veck")
_UNIT_VECTOR = re.compile(r"(.*)\\vec([ijk])(.*)")
_MATRIX = re.compile(
    r"(?:\(|\[)?\\begin\{([pb]?matrix|smallmatrix|array)\}(?:\{[^{}]*\})?(.*)\\end\{\1\}(?:\)|\])?", re.DOTALL
)


def same_vector(gold: str, answer: str, equal: Equal) -> Outcome | None:
    """Compares vectors and matrices; None unless one is written with unit vectors or as a matrix, and both can be read.

    A single row or column is the same as a tuple; a row is no column where both are matrices.
    """
    gold_rows, answer_rows = _rows(gold), _rows(answer)
    if not _is_special(gold) and not _is_special(answer):
        return None
    if _is_cell(gold_rows) and not _is_matrix(answer):
        return equal(gold_rows[0][0], answer)
    if _is_cell(answer_rows) and not _is_matrix(gold):
        return equal(gold, answer_rows[0][0])
    if gold_rows is None or answer_rows is None:
        other = answer if answer_rows is None else gold
        return False if (gold_rows or answer_rows) and closed(other) else None
    if not (_is_matrix(gold) and _is_matrix(answer)):
        if min(len(gold_rows), len(gold_rows[0])) > 1 or min(len(answer_rows), len(answer_rows[0])) > 1:
            return False
        # Components that are nought at the end may be left out with unit vectors: i+2j is (1,2) and (1,2,0).
        golds, answers = _flat(gold_rows), _flat(answer_rows)
        size = max(len(golds), len(answers))
        if (len(golds) != size and not _has_unit_vectors(gold)) or (
            len(answers) != size and not _has_unit_vectors(answer)
        ):
            return False
        gold_rows, answer_rows = [golds + ["0"] * (size - len(golds))], [answers + ["0"] * (size - len(answers))]
    if [len(row) for row in gold_rows] != [len(row) for row in answer_rows]:
        return False
    return every(map(equal, _flat(gold_rows), _flat(answer_rows)))


def _rows(cleaned: str) -> list[list[str]] | None:
    if _has_unit_vectors(cleaned):
        components = _components(cleaned)
        return [components] if components else None
    if match := _MATRIX.fullmatch(cleaned):
        if "\\begin" in match[2]:
            return None
        rows = [[cell.strip() for cell in row.split("&")] for row in match[2].split("\\\\") if row.strip()]
        return rows if rows and all(all(row) for row in rows) else None
    kind, inner = bracketed(cleaned)
    parts = split_top_level(inner)
    return [parts] if kind == "()" and len(parts) > 1 and all(parts) else None


def _is_cell(rows: list[list[str]] | None) -> TypeGuard[list[list[str]]]:
    return rows is not None and len(rows) == len(rows[0]) == 1


def _components(cleaned: str) -> list[str] | None:
    found: dict[str, str] = {}
    for term in re.split(r"(?=[+-])", _outside_brackets(cleaned)):
        if not term:
            continue
        match = _UNIT_VECTOR.fullmatch(term)
        if match is None or match[2] in found or (match[1].strip("+-") and match[3]):
            return None
        factor = match[1].removeprefix("+").rstrip("*").removesuffix("\\cdot") + match[3]
        found[match[2]] = (f"{factor}1" if factor in ("", "-") else factor).replace("\x01", "+").replace("\x02", "-")
    return [found.get(name, "0") for name in ("ijk" if "k" in found else "ij")]


def _outside_brackets(text: str) -> str:
    """Hides the signs inside brackets, so that only those between terms are left."""
    depth, characters = 0, []
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        characters.append({"+": "\x01", "-": "\x02"}.get(character, character) if depth else character)
    return "".join(characters)


def _is_special(cleaned: str) -> bool:
    return _has_unit_vectors(cleaned) or _is_matrix(cleaned)


def _is_matrix(cleaned: str) -> bool:
    return "\\begin" in cleaned


def _has_unit_vectors(cleaned: str) -> bool:
    return any(name in cleaned for name in _UNIT_VECTORS)


def _flat(rows: list[list[str]]) -> list[str]:
    return [cell for row in rows for cell in row]
