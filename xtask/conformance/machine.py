"""A machine with one release of ZenML's own client on it."""

import os
import re
import stat
import subprocess
import time
from typing import Callable, Dict, List, NamedTuple, Optional

from server import NOWHERE, without_zenml

TIMEOUT = 180


class Outcome(NamedTuple):
    """How a command ended."""

    code: int
    text: str


class Machine:
    """A home folder of its own, and a browser that only notes what it is asked to open."""

    def __init__(self, release: str, venv: str, folder: str) -> None:
        self.release = release
        self.venv = venv
        self.folder = folder
        os.makedirs(os.path.join(folder, "home"))
        self.opened = os.path.join(folder, "opened")
        self.browser = os.path.join(folder, "browser")
        with open(self.browser, "w", encoding="utf-8") as script:
            script.write(f'#!/bin/sh\nprintf "%s\\n" "$1" >> "{self.opened}"\n')
        os.chmod(self.browser, os.stat(self.browser).st_mode | stat.S_IXUSR)

    @property
    def has_projects(self) -> bool:
        return self.release >= "0.80"

    @property
    def logs_in(self) -> bool:
        """Whether the command is `login`; before, it was `connect`."""
        return self.release >= "0.60"

    def environment(self, extra: Optional[Dict[str, str]] = None) -> Dict[str, str]:
        kept = without_zenml()
        kept.update(
            NOWHERE,
            HOME=os.path.join(self.folder, "home"),
            ZENML_CONFIG_PATH=os.path.join(self.folder, "config"),
            ZENML_ANALYTICS_OPT_IN="false",
            ZENML_DISABLE_CLIENT_SERVER_MISMATCH_WARNING="true",
            ZENML_LOGGING_COLORS_DISABLED="true",
            BROWSER=f"{self.browser} %s",
            NO_COLOR="1",
            TERM="dumb",
            COLUMNS="400",
        )
        kept.update(extra or {})
        return kept

    def run(self, arguments: List[str], extra: Optional[Dict[str, str]] = None, typed: str = "") -> Outcome:
        """Runs the client's command line, without a terminal."""
        done = subprocess.run(
            [os.path.join(self.venv, "bin", "zenml"), *arguments],
            cwd=self.folder,
            env=self.environment(extra),
            input=typed.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=TIMEOUT,
            start_new_session=True,
        )
        return Outcome(done.returncode, plain(done.stdout))

    def python(self, script: str, extra: Optional[Dict[str, str]] = None) -> Outcome:
        """Runs a script with the client as a library."""
        done = subprocess.run(
            [os.path.join(self.venv, "bin", "python"), "-c", script],
            cwd=self.folder,
            env=self.environment(extra),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=TIMEOUT,
        )
        return Outcome(done.returncode, plain(done.stdout))

    def connect(self, url: str, approve: Callable[[str], None], again: bool = False) -> Outcome:
        """Connects through the browser; `approve` gets the link."""
        arguments = ["login", url] if self.logs_in else ["connect", "--url", url]
        if again and self.logs_in:
            # Some releases keep a token that was refused, and take it for a good one until it expires.
            arguments.append("--refresh")
        output = os.path.join(self.folder, "connect.out")
        with open(output, "wb") as out:
            process = subprocess.Popen(
                [os.path.join(self.venv, "bin", "zenml"), *arguments],
                cwd=self.folder,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                link = self.wait_for_link(process)
                if link:
                    approve(link)
                code = process.wait(timeout=TIMEOUT)
            finally:
                if process.poll() is None:
                    process.kill()
                    process.wait()
        with open(output, "rb") as out:
            text = plain(out.read())
        return Outcome(code if link else 99, text if link else f"no browser was opened\n{text}")

    def wait_for_link(self, process: "subprocess.Popen[bytes]") -> Optional[str]:
        deadline = time.monotonic() + TIMEOUT
        while time.monotonic() < deadline:
            if os.path.exists(self.opened):
                with open(self.opened, encoding="utf-8") as links:
                    text = links.read()
                if text.endswith("\n"):
                    os.remove(self.opened)
                    return text.splitlines()[-1]
            if process.poll() is not None:
                return None
            time.sleep(0.05)
        return None

    def connect_with_key(self, url: str, key: str) -> Outcome:
        """Connects with an API key; newer releases ask for it, older ones take it as an option."""
        if self.logs_in:
            return self.run(["login", url, "--api-key"], typed=f"{key}\n")
        return self.run(["connect", "--url", url, "--api-key", key])

    def disconnect(self) -> Outcome:
        return self.run(["logout"] if self.logs_in else ["disconnect"])


def plain(output: bytes) -> str:
    """Without colours, boxes and wrapped lines' blanks."""
    text = output.decode("utf-8", "replace")
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
