"""What a script of commands showed, without what differs from run to run."""

import re
import socket
from typing import Dict, List

from shell import Ended

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"

# What is made anew for each run, and what is shown in its place.
MADE_UP = [
    (re.compile(r"ZENKEY_[A-Za-z0-9+/=]{60,}"), "[key]"),
    (re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+"), "[token]"),
    (re.compile(UUID), "[id]"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?( UTC|Z)?"), "[time]"),
    (re.compile(r"\b\d+ seconds? ago\b"), "[moments ago]"),
    (re.compile(r"\bzenml-auth \d+\.\d+\.\d+\b"), "zenml-auth [version]"),
    # Activation tokens, and the codes of the device flow: ZenML's are 32 hexadecimal digits, ours are to be typed.
    (re.compile(r"\b[0-9a-f]{64}\b"), "[activation token]"),
    (re.compile(r"\b([0-9a-f]{32}|[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4})\b"), "[code]"),
]
# How wide a column is follows from what was made up.
GAPS = re.compile(r"(?<=\S)  +(?=\S)")


class Transcript:
    """The lines of each step, in order."""

    def __init__(self, url: str, folder: str) -> None:
        self.steps: Dict[str, List[str]] = {}
        self.current: List[str] = []
        self.known: Dict[str, str] = {
            url: "[url]",
            url.removeprefix("http://"): "[address]",
            folder: "[folder]",
        }
        # As a whole word only: hosts have all kinds of names.
        self.host = re.compile(rf"\b{re.escape(socket.gethostname())}\b")

    def begin(self, step: str) -> None:
        """What comes belongs to this step."""
        assert step not in self.steps, f"two steps are called {step!r}"
        self.current = self.steps[step] = []

    def call(self, made_up: str, name: str) -> None:
        """Shows something that was made up by a name, which is more than only that it was."""
        self.known[made_up] = f"[{name}]"

    def note(self, command: str, ended: Ended) -> None:
        """Writes down a command and what came of it."""
        self.current.append(f"$ {self.plain(command)}")
        for stream, text in (("out", ended.out), ("err", ended.err)):
            self.current.extend(f"{stream}: {line}".rstrip() for line in self.plain(text).splitlines())
        self.current.append(f"exit: {ended.code}")

    def plain(self, text: str) -> str:
        for made_up in sorted(self.known, key=len, reverse=True):
            text = text.replace(made_up, self.known[made_up])
        text = self.host.sub("[host]", text)
        for pattern, shown in MADE_UP:
            text = pattern.sub(shown, text)
        return GAPS.sub("  ", text)
