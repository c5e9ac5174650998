#!/usr/bin/env python3
"""How our server may differ from ZenML's when `zenml` is used against both: what is listed, and nothing else.

The list is differences.toml. Run as a program, this writes the table that docs/compatibility.md makes of it.
"""

import difflib
import os
import re
import tomllib
from typing import Iterator, List, NamedTuple, Optional, Set, Tuple

HERE = os.path.dirname(os.path.abspath(__file__))
LIST = os.path.join(HERE, "differences.toml")
DOCUMENT = os.path.join(os.path.dirname(os.path.dirname(HERE)), "docs", "compatibility.md")
HEADING = "## Every difference in what `zenml` shows"
RELEASES = ("0.98.0", "0.58.2")

Lines = Tuple[str, ...]


class Shown(NamedTuple):
    """A command that shows something else altogether."""

    releases: Tuple[str, ...]
    step: str
    command: str
    theirs: Lines
    ours: Lines
    why: str


class Words(NamedTuple):
    """A part of a line that is put differently, or a line that one of the two shows only."""

    releases: Tuple[str, ...]
    steps: Tuple[str, ...]
    theirs: str
    ours: str
    why: str


class Differences:
    """The listed differences, and which of them occurred."""

    def __init__(self) -> None:
        with open(LIST, "rb") as file:
            listed = tomllib.load(file)
        self.shown = [
            Shown(
                tuple(each.get("releases", RELEASES)),
                each["step"],
                each["command"],
                lines(each["theirs"]),
                lines(each["ours"]),
                each["why"],
            )
            for each in listed.get("shown", [])
        ]
        self.words = [
            Words(
                tuple(each.get("releases", RELEASES)),
                tuple(each.get("steps", ())),
                each.get("theirs", ""),
                each.get("ours", ""),
                each["why"],
            )
            for each in listed.get("words", [])
        ]
        self.used: Set[Tuple[str, object]] = set()

    def compare(self, release: str, step: str, theirs: List[str], ours: List[str]) -> Iterator[str]:
        """What differs in a step and is not listed."""
        their_commands, our_commands = list(commands(theirs)), list(commands(ours))
        for (typed, their_lines), (typed_at_ours, our_lines) in zip(their_commands, our_commands):
            if typed != typed_at_ours:
                yield f"one script typed {typed!r}, the other {typed_at_ours!r}"
                return
            if not self.explained(release, step, typed, their_lines, our_lines):
                changes = difflib.unified_diff(their_lines, our_lines, lineterm="", n=0)
                yield "\n".join([typed, *(line for line in list(changes)[2:] if not line.startswith("@@"))])
        if len(their_commands) != len(our_commands):
            yield f"{len(their_commands)} commands were typed at theirs, {len(our_commands)} at ours"

    def explained(self, release: str, step: str, typed: str, theirs: Lines, ours: Lines) -> bool:
        for each in self.shown:
            if release in each.releases and (each.step, each.command) == (step, typed):
                if (each.theirs, each.ours) != (theirs, ours):
                    return False
                self.used.add((release, each))
                return True
        if theirs == ours:
            return True
        words = [
            each for each in self.words if release in each.releases and (not each.steps or step in each.steps)
        ]
        for each in words:
            if not each.theirs and each.ours in ours and each.ours not in theirs:
                ours = tuple(line for line in ours if line != each.ours)
                self.used.add((release, each))
            if not each.ours and each.theirs in theirs and each.theirs not in ours:
                theirs = tuple(line for line in theirs if line != each.theirs)
                self.used.add((release, each))
        if len(theirs) != len(ours):
            return False
        used = [reworded(one, other, words) for one, other in zip(theirs, ours)]
        if any(each is None for each in used):
            return False
        self.used.update((release, word) for each in used for word in each or ())
        return True

    def unused(self, release: str) -> Iterator[str]:
        """What is listed for a release, but did not occur."""
        for each in (*self.shown, *self.words):
            if release in each.releases and (release, each) not in self.used:
                where = each.command if isinstance(each, Shown) else each.theirs or each.ours
                yield f"{where}: {each.why}"

    def table(self) -> str:
        """For the documentation."""
        rows = ["| release | where | ZenML's server | ours | why |", "|---|---|---|---|---|"]
        for shown in self.shown:
            where = f"{shown.step}: {code(shown.command)}"
            rows.append(self.row(shown.releases, where, block(shown.theirs), block(shown.ours), shown.why))
        for words in self.words:
            where = ", ".join(words.steps) or "wherever it is said"
            theirs, ours = (block((part,)) if part else "nothing" for part in (words.theirs, words.ours))
            rows.append(self.row(words.releases, where, theirs, ours, words.why))
        return "\n".join(rows) + "\n"

    def row(self, releases: Tuple[str, ...], *cells: str) -> str:
        release = "both" if set(releases) == set(RELEASES) else ", ".join(releases)
        return "| " + " | ".join((release, *cells)) + " |"


def lines(text: str) -> Lines:
    return tuple(text.strip("\n").splitlines())


def commands(transcript: List[str]) -> Iterator[Tuple[str, Lines]]:
    """Each command of a step with what it showed."""
    typed: Optional[str] = None
    shown: List[str] = []
    for line in transcript:
        if line.startswith("$ "):
            if typed is not None:
                yield typed, tuple(shown)
            typed, shown = line.removeprefix("$ "), []
        else:
            shown.append(line)
    if typed is not None:
        yield typed, tuple(shown)


def reworded(theirs: str, ours: str, words: List[Words]) -> Optional[List[Words]]:
    """The words that make our line of theirs, if there are any that do."""
    if theirs == ours:
        return []
    for index, each in enumerate(words):
        if each.theirs and each.ours and each.theirs in theirs and each.ours in ours:
            rest = reworded(theirs.replace(each.theirs, each.ours), ours, words[index + 1 :])
            if rest is not None:
                return [each, *rest]
    return None


def code(text: str) -> str:
    text = text.replace("|", "\\|").replace("\t", "⇥")
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def block(shown: Lines) -> str:
    """Lines within a cell, without what tells the streams apart."""
    return "<br>".join(code(re.sub(r"^(out|err): ?", "", line)) for line in shown if line.split(": ", 1)[-1])


def documented() -> Tuple[str, str]:
    """The document as it is, and as it has to be."""
    with open(DOCUMENT, encoding="utf-8") as file:
        text = file.read()
    before, found, after = text.partition(f"\n{HEADING}\n")
    assert found, f"{DOCUMENT} has no {HEADING!r}"
    kept: List[str] = []
    rest = after.splitlines(keepends=True)
    while rest and not rest[0].startswith("|"):
        kept.append(rest.pop(0))
    while rest and rest[0].startswith("|"):
        rest.pop(0)
    return text, before + found + "".join(kept) + Differences().table() + "".join(rest)


if __name__ == "__main__":
    _, wanted = documented()
    with open(DOCUMENT, "w", encoding="utf-8") as file:
        file.write(wanted)
