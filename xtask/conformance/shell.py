"""A machine with our own command line on it."""

import os
import re
import subprocess
import threading
from typing import Callable, Dict, List, NamedTuple, Optional

TIMEOUT = 120

LINK = re.compile(r"https?://\S+user_code=\S+")


class Ended(NamedTuple):
    """How a command ended."""

    out: str
    err: str
    code: int


class Shell:
    """A home folder of its own, in which `zenml` is run without a terminal."""

    def __init__(self, binary: str, folder: str) -> None:
        self.binary = binary
        self.folder = folder
        self.home = os.path.join(folder, "home")
        self.config = os.path.join(folder, "config")
        os.makedirs(self.home, exist_ok=True)

    def environment(self, extra: Optional[Dict[str, str]] = None) -> Dict[str, str]:
        return {
            "PATH": os.environ.get("PATH", ""),
            "HOME": self.home,
            "ZENML_CONFIG_PATH": self.config,
            "NO_PROXY": "*",
            "NO_COLOR": "1",
            **(extra or {}),
        }

    def run(self, arguments: List[str], typed: str = "", extra: Optional[Dict[str, str]] = None) -> Ended:
        """Runs a command with this on its standard input."""
        done = subprocess.run(
            [self.binary, *arguments],
            cwd=self.folder,
            env=self.environment(extra),
            input=typed.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=TIMEOUT,
        )
        return Ended(done.stdout.decode(), done.stderr.decode(), done.returncode)

    def connect(self, arguments: List[str], decide: Callable[[str], None]) -> Ended:
        """Runs a command that shows a link, and lets somebody decide over it in the meantime."""
        process = subprocess.Popen(
            [self.binary, *arguments],
            cwd=self.folder,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        killer = threading.Timer(TIMEOUT, process.kill)
        killer.start()
        try:
            assert process.stdout is not None and process.stderr is not None
            err = ""
            decided = False
            for line in process.stderr:
                err += line.decode()
                link = LINK.search(line.decode())
                if link and not decided:
                    decided = True
                    decide(link.group(0))
            out = process.stdout.read().decode()
            return Ended(out, err, process.wait())
        finally:
            killer.cancel()
            if process.poll() is None:
                process.kill()
                process.wait()
