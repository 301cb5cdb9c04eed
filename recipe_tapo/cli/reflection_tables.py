"""The tables of ``reflection.json`` on the terminal."""

from collections.abc import Mapping
from typing import Any

from recipe_tapo.cli.tables import print_table


def print_reflection(results: Mapping[str, Any]) -> None:
    """Prints what ``reflection.json`` holds."""
    level = f"{100 * results['bootstrap']['confidence']:g}%"
    for pair in results["pairs"]:
        rows, notes = [], []
        for benchmark, part in pair["benchmarks"].items():
            if "note" in part:
                notes.append(f"{benchmark}: {part['note']}")
                continue
            for number, model in enumerate([*pair["models"], "difference"]):
                rates = [_rate(part, name, number) for name in ("dsr", "err")]
                shown = [f"{benchmark} ({part['boundary_problems']})" if not number else "", model]
                for rate in rates:
                    shown += [_show_rate(rate), _counts(rate)]
                rows.append(shown)
                notes += [
                    f"{benchmark}, {model}, {name.upper()}: {rate['note']}"
                    for name, rate in zip(("dsr", "err"), rates, strict=True)
                    if rate["note"]
                ]
        if rows:
            print_table(
                f"Reflection on the boundary subset of {pair['models'][0]} and {pair['models'][1]}, %, with {level} "
                "bootstrap intervals over problems",
                ("benchmark (problems)", "model", "DSR", "of right responses", "ERR", "of reflecting responses"),
                rows,
            )
        for note in notes:
            print(f"  {note}")
    _print_verdicts(results["verdicts"])
    if results["agreement"]:
        _print_agreement(results["agreement"])


def _show_rate(rate: Mapping[str, Any]) -> str:
    """A rate in percent and its interval, ``47.5 [40.1, 55.0]``; – where there is none."""
    if rate["value"] is None:
        return "–"
    interval = "" if rate["low"] is None else f" [{100 * rate['low']:.1f}, {100 * rate['high']:.1f}]"
    return f"{100 * rate['value']:.1f}{interval}"


def _rate(part: Mapping[str, Any], name: str, number: int) -> Mapping[str, Any]:
    rates = part[name]
    return rates[number] if number < len(rates) else part[f"{name}_difference"]


def _counts(rate: Mapping[str, Any]) -> str:
    if "responses" not in rate:
        return ""
    undecided = f", {rate['undecided']} undecided" if rate["undecided"] else ""
    return f"{rate['successes']}/{rate['responses']} in {rate['problems']} problems{undecided}"


def _print_verdicts(verdicts: Mapping[str, Mapping[str, int]]) -> None:
    names = list(dict.fromkeys(name for counts in verdicts.values() for name in counts))
    if names:
        print_table(
            "Verdicts; unsure: at least one answer is; contradicts_grader: sees a right answer where the grader "
            "does not; the rest are responses without a verdict",
            ("model", *names),
            [(model, *(counts.get(name, 0) for name in names)) for model, counts in verdicts.items()],
        )


def _print_agreement(agreement: Mapping[str, Mapping[str, Any]]) -> None:
    print_table(
        "Agreement with the truth; all but the first on responses that truly reflect; kappa: Cohen's, – where chance "
        "explains everything",
        ("question", "compared", "agree, %", "kappa", "truth -> judge: responses"),
        [
            (
                question,
                part["compared"],
                None if part["agree"] is None else 100 * part["agree"],
                part["kappa"],
                "  ".join(f"{pair}: {count}" for pair, count in part["confusion"].items()),
            )
            for question, part in agreement.items()
        ],
    )
