"""A server in a process of its own on a free port of this machine, and plain HTTP to talk to it."""

import http.client
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from typing import Dict, List, NamedTuple, Optional, Tuple

ADMIN = "default"
PASSWORD = "zenml-Passw0rd"


class Answer(NamedTuple):
    """What a server answered."""

    status: int
    headers: Dict[str, str]
    cookies: List[str]
    body: bytes

    def text(self) -> str:
        return self.body.decode("utf-8", "replace")


class Server:
    """A running server with a fresh database and an administrator; use it in a `with` statement."""

    # How long it may take until it answers, in seconds.
    START_TIMEOUT = 30

    def __init__(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="zenml-auth-")
        self.log = open(os.path.join(self.folder, "server.log"), "wb")
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = subprocess.Popen(
            self.command(),
            cwd=self.folder,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
        )

    def command(self) -> List[str]:
        """What starts it."""
        raise NotImplementedError

    def environment(self) -> Dict[str, str]:
        """The variables it sees."""
        raise NotImplementedError

    def prepare(self) -> None:
        """What is left to do before anyone can sign in."""

    def __enter__(self) -> "Server":
        try:
            self.wait()
            self.prepare()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def wait(self) -> None:
        deadline = time.monotonic() + self.START_TIMEOUT
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise SystemExit(f"the server ended at once:\n{self.log_text()}")
            try:
                if self.request("GET", "/health").status == 200:
                    return
            except OSError:
                time.sleep(0.05)
        raise SystemExit(f"the server did not start:\n{self.log_text()}")

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def log_text(self) -> str:
        with open(self.log.name, "rb") as log:
            return log.read().decode("utf-8", "replace")

    def request(
        self,
        method: str,
        path: str,
        body: Optional[str] = None,
        headers: Optional[Dict[str, str]] = None,
    ) -> Answer:
        """Sends exactly this, and nothing that a library would add but `Host` and the length."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.putrequest(method, path, skip_accept_encoding=True)
            content = body.encode() if body is not None else b""
            for name, value in (headers or {}).items():
                connection.putheader(name, value)
            connection.putheader("Content-Length", str(len(content)))
            connection.endheaders(content)
            answer = connection.getresponse()
            pairs: List[Tuple[str, str]] = answer.getheaders()
            return Answer(
                answer.status,
                {name.lower(): value for name, value in pairs},
                [value for name, value in pairs if name.lower() == "set-cookie"],
                answer.read(),
            )
        finally:
            connection.close()


def without_zenml() -> Dict[str, str]:
    """The variables of this process but ZenML's, which may be anyone's."""
    return {name: value for name, value in os.environ.items() if not name.startswith("ZENML")}


# Whatever wants to leave this machine fails at once.
NOWHERE = {
    **{f"{kind}_proxy": "http://127.0.0.1:9" for kind in ("http", "https", "all")},
    "no_proxy": "127.0.0.1,localhost",
}
NOWHERE.update({name.upper(): value for name, value in NOWHERE.items()})


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
