"""What the script is played with: one server, whichever it is, its administrator, machines, and what they showed."""

import json
import os
import re
from typing import Dict

from person import Person
from server import Server
from shell import Ended, Shell
from transcript import UUID, Transcript
from typist import Typist

# A whole key that no server gave out.
FOREIGN_KEY = (
    "ZENKEY_eyJpZCI6IjRiMGExMjY0LWUzNjEtNGVkYy04NzA1LTFmMGMzZmYxZjEzYiIsImtleSI6Ijc2NzdmMWE4YjQ4ZjBkYWE3YTA2ODk1Zjgw"
    "ZjVkZjZlOTNhMmFlMjk2YmQ2ZmYxZDk0ZjY2MDA2MWIwZTQwYzQifQ=="
)
NOBODY = "00000000-0000-4000-8000-000000000000"


class Script:
    """A server with what is typed at it."""

    def __init__(self, binary: str, server: Server, folder: str) -> None:
        self.binary = binary
        self.server = server
        self.folder = folder
        self.shown = Transcript(server.url, folder)
        self.admin = Person(server)

    def machine(self, name: str) -> Typist:
        return Typist(self.server.url, self.shown, Shell(self.binary, os.path.join(self.folder, name)))

    def learn(self, ended: Ended, field: str, name: str) -> str:
        """An id that was just shown, and is shown by a name from now on."""
        made_up = str(json.loads(ended.out)[field])
        self.shown.call(made_up, name)
        self.shown.call(made_up[:12], f"{name}, in short")
        return made_up

    def wrong_codes(self, link: str) -> None:
        """Somebody who has the link, but not the code."""
        device = re.findall(UUID, link)[0]
        for _ in range(3):
            body = {"user_code": "0" * 32, "trusted_device": False}
            answer = self.admin.api("PUT", f"/api/v1/devices/{device}/verify", body)
            assert answer.status == 400, answer.text()

    def activate(self, name: str, token: str, password: str) -> None:
        """Uses an activation token, as the page behind the link does."""
        body = json.dumps({"activation_token": token, "password": password})
        path = f"/api/v1/users/{name}/activate"
        answer = self.server.request("PUT", path, body, {"Content-Type": "application/json"})
        assert answer.status == 200, f"{token!r}: {answer.text()}"

    def variables(self, key: str) -> Dict[str, str]:
        return {"ZENML_STORE_URL": self.server.url, "ZENML_STORE_API_KEY": key}
