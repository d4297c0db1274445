"""What people read: links lead somewhere, README keeps its form."""

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parent.parent
DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix()
    for path in [
        *ROOT.glob("*.md"),
        *ROOT.glob(".github/*.md"),
        *(p for d in ("tfgen", "export", "tests") for p in (ROOT / d).rglob("*.md")),
    ]
)


def links(text):
    """Targets of links and pictures outside of code."""
    text = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    text = re.sub(r"`[^`\n]*`", "", text)
    return re.findall(r"\]\(([^)\s]+)\)", text)


def anchor(heading):
    """The fragment that repository browsers give a heading."""
    words = re.sub(r"[^\w\- ]", "", heading.lower())
    return words.strip().replace(" ", "-")


def missing_targets(document):
    missing = []
    for target in links(document.read_text(encoding="utf-8")):
        if re.match(r"\w+:", target):
            continue
        path, _, fragment = target.partition("#")
        file = (document.parent / path) if path else document
        if not file.exists():
            missing.append(target)
        elif fragment:
            headings = re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), re.M)
            if fragment not in map(anchor, headings):
                missing.append(target)
    return missing


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_lead_somewhere(name):
    assert missing_targets(ROOT / name) == []


def test_a_broken_link_is_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# A title!\n[a](#a-title) [b](gone.md) [c](#other) `[d](e)`")
    assert missing_targets(page) == ["gone.md", "#other"]


def test_tests_that_cases_name_exist():
    text = (ROOT / "tests/cases.md").read_text(encoding="utf-8")
    rows = [r for r in text.splitlines() if r.startswith("|") and "---" not in r]
    cases = [row for row in rows if not row.startswith("| Situation")]
    assert len(cases) > 60
    missing = []
    for case in cases:
        named = re.search(r"`(tests/[\w/]+\.py)::(test_\w+)` \|$", case)
        file = ROOT / named[1] if named else None
        if not (file and file.is_file() and f"def {named[2]}(" in file.read_text()):
            missing.append(case)
    assert missing == []


def test_readme_has_two_commands_to_set_up_and_at_most_200_lines():
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 200
    commands = [line for line in lines if line.startswith("pip install -e")]
    assert commands == [
        'pip install -e ".[all]" && tfgen quickstart',
        'pip install -e ".[all]" && pytest',
    ]


def missing_code(text):
    """Returns files that a text names in vain, and names that their files lack."""
    missing = [
        path
        for path in re.findall(r"`?\b((?:tests|tfgen|export)/[\w/.]+\.\w+)", text)
        if not (ROOT / path).exists()
    ]
    for name, path in re.findall(r"`(\w+)` in\s+`([\w/]+\.py)`", text):
        file = ROOT / path
        if file.exists() and not re.search(rf"\b{name}\b", file.read_text("utf-8")):
            missing.append(f"{name} in {path}")
    return missing


@pytest.mark.parametrize("name", DOCUMENTS)
def test_files_that_are_named_exist(name):
    assert missing_code((ROOT / name).read_text(encoding="utf-8")) == []


def test_a_file_or_a_name_that_is_gone_is_found():
    text = (
        "`gone` in `tfgen/errors.py`, `UserError` in `tfgen/errors.py`, `tests/no.py`"
    )
    assert missing_code(text) == ["tests/no.py", "gone in tfgen/errors.py"]
