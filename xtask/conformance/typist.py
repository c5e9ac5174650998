"""Somebody who types commands, and somebody who writes down what comes of them."""

import os
import shlex
from typing import Callable, Dict, List, Optional

from shell import Ended, Shell
from transcript import Transcript


class Typist:
    """Somebody at a machine; what they type and what comes of it is written down."""

    def __init__(self, url: str, shown: Transcript, shell: Shell) -> None:
        self.url = url
        self.shown = shown
        self.shell = shell
        self.key = ""

    def __call__(self, line: str, typed: str = "", extra: Optional[Dict[str, str]] = None) -> Ended:
        line = line.replace("{url}", self.url)
        ended = self.shell.run(shlex.split(line), typed, extra)
        self.note(line, ended, extra)
        return ended

    def connect(self, decide: Callable[[str], None], *flags: str) -> Ended:
        """Connects through the browser of somebody who decides."""
        arguments: List[str] = ["connect", "--url", self.url, "--no-browser", *flags]
        ended = self.shell.connect(arguments, decide)
        self.note(" ".join(arguments), ended, None)
        return ended

    def learn_key(self, line: str) -> str:
        """A command that shows a key."""
        self.key = self(line).out.strip()
        return self.key

    def note(self, line: str, ended: Ended, extra: Optional[Dict[str, str]]) -> None:
        variables = "".join(f"{name} " for name in sorted(extra or {}))
        place = os.path.basename(self.shell.folder)
        self.shown.note(f"{place}: {variables}zenml {line}", ended)
