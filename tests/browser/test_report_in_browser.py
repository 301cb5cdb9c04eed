"""The report in a real headless Chromium: hostile texts, filters and search, phone and dark, thousands of responses."""

import http.server
import threading
import time
from pathlib import Path

import pytest
from judging_cases import write_evaluation

from recipe_tapo.evaluation.folder import load_evaluation, write_object
from recipe_tapo.evaluation.grid import make_grids
from recipe_tapo.evaluation.metrics import measure
from recipe_tapo.records.attempts import AttemptDump, AttemptRecord
from recipe_tapo.records.token_texts import TokenTexts
from recipe_tapo.records.write import write_jsonl
from recipe_tapo.report.write import write_report

pytestmark = pytest.mark.timeout(300)

CONTRAST = (Path(__file__).parent / "contrast.js").read_text(encoding="utf-8")
TABS = ("overview", "problems", "lengths", "responses", "constructions")

PAYLOADS = (
    "<script>window.pwned = 1; alert(1)</script>",
    '<img src="x" onerror="window.pwned = 2">',
    "</script><script>window.pwned = 3</script>",
    '<svg onload="window.pwned = 4"></svg><iframe srcdoc="<script>parent.pwned = 5</script>"></iframe>',
    '"><details open ontoggle="window.pwned = 6">',
    "<!--<script>",
    "'\"`${window.pwned = 7}{{script}}{{data}}",
    "\u2028\u2029\u202eleft to right\u202c \u0645\u0631\u062d\u0628\u0627 \u05e9\u05dc\u05d5\u05dd",
    "👩‍👩‍👧‍👦 🏳️‍🌈 é 中文 \U0001d4d0 <b>bold</b> &lt;i&gt;",
)
HOSTILE = "\n".join(PAYLOADS)


def with_metrics(folder: Path) -> Path:
    """Completes a folder of hand-made responses with their measured numbers."""
    evaluation = load_evaluation(folder)
    grids = make_grids(evaluation.problems, evaluation.responses, str(folder))
    write_object(folder / "metrics.json", {key: value for grid in grids for key, value in measure(grid).items()})
    return folder


class Words:
    """A tokenizer whose tokens are words."""

    def decode(self, ids, **_):
        return "".join(ids)


def write_dump(folder: Path, records: list[AttemptRecord], weights: dict[str, list[float]]) -> Path:
    dump = AttemptDump(folder)
    for record in records:
        dump.write(record)
    rows = []
    for record in records:
        if record.key in weights:
            tokens = [
                *(word + " " for word in record.reconstruction.split(" ")[:-1]),
                record.reconstruction.split(" ")[-1],
                "",
            ]
            assert TokenTexts(Words()).of(tokens) == tokens and "".join(tokens) == record.reconstruction
            row = {"key": record.key, "step": record.step, "uid": "u", "tokens": tokens, "weights": weights[record.key]}
            rows.append(row)
    write_jsonl(folder / "weights-1.jsonl", rows)
    return folder


PREFIX = "2x = 8 so x = 3 "
RECONSTRUCTION = PREFIX + "Wait, 😀 let me check. x = 4"


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """Two models on two benchmarks, and four constructions."""
    root = tmp_path_factory.mktemp("report")
    given = {
        (name, n): [(f"{name} {n} sample {s} {'apple' if s else 'pear'}", s < n) for s in range(4)]
        for name in ("aime", "hmmt")
        for n in range(3)
    }
    folders = [
        with_metrics(write_evaluation(root / name, given, tokens=30, truncated=False)) for name in ("grpo", "tapo")
    ]
    base = {"uid": "u", "question": "Solve 2x = 8", "error_rollout": PREFIX + "The end: 3", "correct_rollout": "x = 4"}
    made = {"reconstruction": RECONSTRUCTION, "prefix_text": PREFIX, "prefix_length": 8, "prefix_fraction": 0.7}
    records = [
        AttemptRecord(
            step=1, **base, **made, reward=1.0, right=True, key="u_8_0", raw_output="<analysis>why</analysis>"
        ),
        AttemptRecord(step=1, **base, **made, reward=0.0, right=False, key="u_9_0"),
        AttemptRecord(step=2, **base, reason="missing_tag", raw_output="a needle without tags"),
        AttemptRecord(step=2, **base, **made, reward=0.0, right=False, reason="negative_dropped"),
    ]
    tokens = len(RECONSTRUCTION.split(" ")) + 1
    weights = {"u_8_0": [round(0.1 * (n + 1), 1) for n in range(tokens)], "u_9_0": [10.0] * tokens}
    dump = write_dump(root / "dump", records, weights)
    path = root / "report.html"
    write_report(path, [load_evaluation(folder) for folder in folders], dump)
    return path


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """A report whose every text is an attack."""
    root = tmp_path_factory.mktemp("hostile")
    name = '<img src=x onerror="window.pwned=8">'
    folder = write_evaluation(
        root / name, {(HOSTILE, 0): [(HOSTILE, True), (HOSTILE, False)]}, question=lambda *_: HOSTILE, gold=HOSTILE
    )
    with_metrics(folder)
    write_object(folder / "settings.json", {HOSTILE: HOSTILE, "model": HOSTILE})
    rate = {"value": 0.5, "low": 0.1, "high": 0.9, "successes": 1, "responses": 2, "problems": 1, "undecided": 1}
    part = {"boundary_problems": 1, **{k: [{**rate, "note": HOSTILE}] * 2 for k in ("dsr", "err")}}
    part |= {f"{k}_difference": {"value": 0.1, "low": None, "high": None, "note": HOSTILE} for k in ("dsr", "err")}
    judged = root / "reflection"
    write_object(
        judged / "reflection.json",
        {
            "judge": {"model": HOSTILE},
            "models": {name: str(folder)},
            "bootstrap": {"confidence": 0.95},
            "pairs": [{"models": [HOSTILE, HOSTILE], "benchmarks": {HOSTILE: part, "none": {"note": HOSTILE}}}],
            "verdicts": {HOSTILE: {HOSTILE: 1}},
            "agreement": {HOSTILE: {"confusion": {HOSTILE: 1}, "compared": 1, "agree": 1, "kappa": None}},
        },
    )
    answers = dict.fromkeys(("reflection_attempted", "error_located", "error_diagnosed", "led_to_right_answer"), "yes")
    verdict = {"evidence": HOSTILE, **answers}
    key = {"model": name, "benchmark": HOSTILE, "problem_idx": 0, "run": 0}
    write_jsonl(
        judged / "verdicts.jsonl",
        [
            {**key, "sample": 0, "verdict": verdict, "malformed": None},
            {**key, "sample": 1, "verdict": None, "malformed": HOSTILE},
        ],
    )
    record = AttemptRecord(
        step=1,
        uid=HOSTILE,
        question=HOSTILE,
        error_rollout=HOSTILE,
        correct_rollout=HOSTILE,
        raw_output=HOSTILE,
        reconstruction=HOSTILE,
        prefix_text=HOSTILE[:40],
        reward=1.0,
        right=True,
        reason=HOSTILE,
        key="u_8_0",
    )
    dump = write_dump(root / "dump", [record], {"u_8_0": [0.5] * (len(HOSTILE.split(" ")) + 1)})
    path = root / "report.html"
    write_report(path, [load_evaluation(folder)], dump, judged)
    return path


# --- safety ---


def test_the_attacks_do_work_on_a_page_that_lets_them(browser, tmp_path):
    for number, payload in ((2, PAYLOADS[1]), (3, PAYLOADS[2]), (6, PAYLOADS[4])):
        page = tmp_path / "victim.html"
        page.write_text(f'<!DOCTYPE html><script>var x = "</script><p title="">{payload}')
        browser.get(page.as_uri())
        time.sleep(0.3)
        assert browser.execute_script("return window.pwned") == number


def test_no_text_is_executed_and_every_text_is_shown_as_it_is(open_page, hostile):
    page = open_page(hostile)
    for tab in TABS:
        page.open(tab)
        page.every(f"#page-{tab} .item > button, #page-{tab} summary", "e.click()")
        assert PAYLOADS[0] in page.texts(f"#page-{tab}")[0]
        if tab in ("responses", "constructions"):
            page.search(tab, "pwned")
            page.click(f"#page-{tab} .item > button")
            assert "pwned" in page.texts(f"#page-{tab} .text mark")
    page.open("responses")
    page.search("responses", "")
    page.click("#page-responses .item > button")
    assert page.texts("#page-responses .text") == [HOSTILE] * 2  # question, response
    page.open("constructions")
    page.search("constructions", "")
    page.click("#page-constructions .item > button")
    # question, wrong and right rollout, reconstruction by tokens, output
    assert page.texts("#page-constructions .text") == [HOSTILE] * 5

    time.sleep(0.3)
    assert page.run("return window.pwned") is None
    assert not page.has_dialog()
    assert set(page.every(".text *", "e.localName")) <= {"span", "mark"}
    tags = set(page.every("*", "e.localName"))
    assert not tags & {"img", "iframe", "object", "embed", "base", "form", "a"}
    assert page.run("return document.scripts.length") == 2
    attributes = {name for names in page.every("*", "e.getAttributeNames()") for name in names}
    assert not any(name.startswith("on") for name in attributes)
    assert page.errors() == []


def test_the_policy_refuses_foreign_code_and_connections(open_page, hostile):
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/"
    try:
        page = open_page(hostile)
        page.run(
            """document.body.insertAdjacentHTML('beforeend', '<img src="x" onerror="window.pwned = 9">');
               const add = (tag, values) => document.body.append(Object.assign(document.createElement(tag), values));
               add('script', {textContent: 'window.pwned = 10'});
               add('img', {src: arguments[0] + 'image'});
               fetch(arguments[0] + 'fetch', {mode: 'no-cors'}).catch(() => { window.refused = true; })""",
            url,
        )
        time.sleep(0.5)
        assert page.run("return window.pwned") is None
        assert page.run("return window.refused") is True
        assert asked == []
    finally:
        server.shutdown()
        server.server_close()


# --- use ---


def test_tables_and_curves_show_the_numbers(open_page, report):
    page = open_page(report)
    # aime: problem n has n of its 4 samples right, the first ones: pass@1 = 2/3 (problems 1 and 2)
    cells = page.texts("#page-overview .pass:first-child tbody tr:first-child td")
    assert cells[:2] == ["grpo", "66.7± 33.3"]
    assert len(page.run("return document.querySelectorAll('#page-overview svg .point')")) == 2 * 2 * 4
    page.click("#page-overview .segmented button", 1)
    # unbiased pass@1: (0 + 1/4 + 2/4) / 3 = 25 %
    assert page.texts("#page-overview .pass:first-child tbody tr:first-child td")[1].startswith("25.0")
    assert page.errors() == []


def test_a_problem_leads_to_its_responses(open_page, report):
    page = open_page(report)
    page.open("problems")
    assert page.texts("#page-problems .heat:first-of-type .index")[:3] == ["0", "1", "2"]
    # aime problem 2: 2 of 4 right, by both models
    assert page.texts("#page-problems .heat button")[2] == "50502"
    page.click("#page-problems .heat button", 5)
    assert page.run("return location.hash") == "#responses"
    assert page.found("responses") == "8 of 48 responses"
    assert all("hmmt #2" in text for text in page.texts("#page-responses .item"))


def test_filters_and_search_of_responses(open_page, report):
    page = open_page(report)
    page.open("responses")
    assert page.found("responses") == "48 of 48 responses"
    assert len(page.texts("#page-responses .item")) == 25
    page.click("#page-responses .pager button", 1)
    assert len(page.texts("#page-responses .item")) == 23
    page.choose("responses", "model", "tapo")
    page.choose("responses", "benchmark", "aime")
    page.choose("responses", "result", "right")
    assert page.found("responses") == "3 of 48 responses"  # 0 + 1 + 2
    page.search("responses", "PEAR")
    assert page.found("responses") == "2 of 48 responses"
    assert set(page.texts("#page-responses .snippet mark")) == {"pear"}
    page.click("#page-responses .item > button")
    assert page.texts("#page-responses .item .text mark") == ["pear"]
    page.search("responses", "no such words")
    assert page.found("responses") == "0 of 48 responses"
    page.click("#page-responses .found button")
    assert page.found("responses") == "48 of 48 responses"


def test_constructions_are_coloured_by_part_shaded_by_weight_and_filtered(open_page, report):
    page = open_page(report)
    page.open("constructions")
    assert page.found("constructions") == "4 of 4 constructions"
    page.click("#page-constructions .item > button")
    segments = page.every("#page-constructions .seg", "[e.className, e.textContent, e.title]")
    assert "".join(text for _, text, _ in segments) == RECONSTRUCTION
    by_part = {
        part: "".join(text for name, text, _ in segments if part in name)
        for part in ("prefix", "reflection", "correction")
    }
    assert by_part == {"prefix": PREFIX, "reflection": "Wait, 😀 let me check. ", "correction": "x = 4"}
    assert [title for _, _, title in segments] == [f"w = {round(0.1 * (n + 1), 1):g}" for n in range(len(segments))]
    shades = page.every("#page-constructions .seg", "Number(e.style.getPropertyValue('--shade'))")
    assert shades == sorted(shades) and shades[0] < shades[-1]
    page.click("#page-constructions .seg", 8)
    assert page.texts("#page-constructions .readout") == ['"😀 ": w = 0.9']
    # y- shows how much of it was kept
    assert page.texts("#page-constructions .text .kept") == [PREFIX]

    page.choose("constructions", "reward", "0")
    assert page.found("constructions") == "2 of 4 constructions"
    page.choose("constructions", "outcome", "negative dropped")
    assert page.found("constructions") == "1 of 4 constructions"
    page.choose("constructions", "reward", "no reward")
    page.choose("constructions", "outcome", "missing tag")
    page.choose("constructions", "step", "2")
    assert page.found("constructions") == "1 of 4 constructions"
    page.choose("constructions", "step", "1")
    assert page.found("constructions") == "0 of 4 constructions"
    page.click("#page-constructions .found button")
    page.search("constructions", "needle")
    assert page.found("constructions") == "1 of 4 constructions"
    page.click("#page-constructions .item > button")
    assert "none: missing tag" in page.texts("#page-constructions .item")[0]
    assert page.errors() == []


# --- layouts and size ---


def emulate(driver, width, height, scheme):
    driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600},
    )
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


@pytest.mark.parametrize("width, height", [(390, 844), (1280, 900)])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("which", ["report", "hostile"])
def test_every_page_fits_the_screen_and_is_legible_in_light_and_dark(
    request, browser, open_page, which, width, height, scheme
):
    emulate(browser, width, height, scheme)
    try:
        page = open_page(request.getfixturevalue(which))
        for tab in TABS:
            page.open(tab)
            if tab in ("responses", "constructions"):
                page.every(f"#page-{tab} .item > button", "e.click()")
            assert page.run("return document.documentElement.scrollWidth") <= width, tab
            contrast, text = page.run(CONTRAST)
            assert contrast >= 4.5, (tab, text)
        ground = page.run("return getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
        assert (max(ground) < 60) if scheme == "dark" else (min(ground) > 200)
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_thousands_of_responses_stay_quick(open_page, tmp_path):
    # As many as the paper's evaluation of one model has: 90 problems, 5 samples of 16 runs each; 16 MB of text.
    filler = "The sum of the first n squares is n(n+1)(2n+1)/6, so we continue with care. " * 28
    given = {
        ("aime", n): [(f"{filler} {n}-{s} {'rare' if s == 7 else ''}", s % 3 == 0) for s in range(80)]
        for n in range(90)
    }
    folder = with_metrics(write_evaluation(tmp_path / "model", given, tokens=1500))
    path = tmp_path / "report.html"
    write_report(path, [load_evaluation(folder)])
    assert path.stat().st_size < 25_000_000

    page = open_page(path)
    page.open("responses")
    assert page.found("responses") == "7,200 of 7,200 responses"
    assert page.run("return document.querySelectorAll('*').length") < 3000
    begin = page.run("return performance.now()")
    page.search("responses", "rare")
    assert page.found("responses") == "90 of 7,200 responses"
    page.search("responses", "7-70 ")
    assert page.found("responses") == "9 of 7,200 responses"
    assert page.run("return performance.now()") - begin < 6000


def test_a_previews_variants_can_be_looked_at_one_by_one(open_page, tmp_path):
    base = {"uid": "u", "question": "Solve 2x = 8", "error_rollout": PREFIX + "The end: 3", "correct_rollout": "x = 4"}
    made = {"reconstruction": RECONSTRUCTION, "prefix_text": PREFIX, "prefix_length": 8, "prefix_fraction": 0.7}
    write_dump(tmp_path / "attempts" / "micro_reflective", [AttemptRecord(step=0, **base, reason="missing_tag")], {})
    kept = AttemptRecord(step=0, **base, **made, reward=1.0, right=True)
    write_dump(tmp_path / "attempts" / "continuation", [kept] * 2, {})
    write_report(tmp_path / "preview.html", [], tmp_path / "attempts")
    page = open_page(tmp_path / "preview.html")
    page.open("constructions")
    assert "2 (67 %) would become training rows" in page.texts("#page-constructions")[0]
    page.choose("constructions", "variant", "continuation")
    assert page.found("constructions") == "2 of 3 constructions"
    assert "continuation" in page.texts("#page-constructions .item")[0]
    assert "not trained on" not in page.texts("#page-constructions .item")[0]
    assert page.errors() == []
