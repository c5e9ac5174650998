"""Both programs on one machine: who they are there, whichever of them has connected."""

import json
import os
from typing import Dict, Optional

from machine import Machine, Outcome
from person import Person
from report import Report
from server import ADMIN, PASSWORD, Server
from shell import Ended, Shell

RELEASE = "0.98.0"

# Which server the client uses, who it is there, and whether it keeps anything to sign in to that server with.
WHERE = """
from zenml.client import Client
from zenml.config.global_config import GlobalConfiguration
from zenml.login.credentials_store import get_credentials_store
url = {url!r}
print('KEPT', get_credentials_store().has_valid_credentials(url))
print('STORE', GlobalConfiguration().store_configuration.url)
user = Client().active_user
print('I AM', user.name, user.is_service_account)
"""
FORGET_THE_TOKEN = """
from zenml.login.credentials_store import get_credentials_store
get_credentials_store().clear_token({url!r})
"""


class Workplace:
    """A machine on which both programs use the same folder."""

    def __init__(self, binary: str, venv: str, folder: str) -> None:
        self.machine = Machine(RELEASE, venv, folder)
        self.shell = Shell(binary, folder)
        self.config = os.path.join(self.shell.config, "config.yaml")
        self.credentials = os.path.join(self.shell.config, "credentials.yaml")

    def ours(self, *arguments: str, typed: str = "", extra: Optional[Dict[str, str]] = None) -> Outcome:
        return told(self.shell.run(list(arguments), typed, extra))

    def files(self) -> Dict[str, bytes]:
        found = {}
        for path in (self.config, self.credentials):
            with open(path, "rb") as file:
                found[path] = file.read()
        return found


class OneLogin(Report):
    """Both programs at one server."""

    def __init__(self, title: str, binary: str, venv: str, server: Server, folder: str) -> None:
        super().__init__(title)
        self.binary = binary
        self.venv = venv
        self.server = server
        self.url = server.url
        self.folder = folder
        self.workplaces = 0
        self.person = Person(server)
        self.key = self.make_key()

    def workplace(self) -> Workplace:
        self.workplaces += 1
        return Workplace(self.binary, self.venv, os.path.join(self.folder, f"workplace-{self.workplaces}"))

    def make_key(self) -> str:
        account = json.loads(self.person.api("POST", "/api/v1/service_accounts", {"name": "ci", "active": True}).body)
        path = f"/api/v1/service_accounts/{account['id']}/api_keys"
        return str(json.loads(self.person.api("POST", path, {"name": "shared"}).body)["body"]["key"])

    # --- What each program says of the connection ---

    def python_is(self, workplace: Workplace, who: str, extra: Optional[Dict[str, str]] = None) -> None:
        script = WHERE.format(url=self.url)
        self.works(
            f"the Python client is {who} without signing in",
            lambda: workplace.machine.python(script, extra),
            "KEPT True",
            f"STORE {self.url}",
            f"I AM {who}",
        )

    def python_is_out(self, workplace: Workplace) -> None:
        script = WHERE.format(url=self.url)
        self.works("the Python client is signed out", lambda: workplace.machine.python(script), "KEPT False", "STORE sqlite")
        self.refused(
            "and would be refused",
            lambda: workplace.machine.python(script, {"ZENML_STORE_URL": self.url}),
            "No valid credentials found",
            "CredentialsNotValid",
        )

    def ours_is(self, workplace: Workplace, who: str, by: str) -> None:
        self.works(
            f"ours is {who} by {by} without signing in", lambda: workplace.ours("status"), self.url, f"  {who}\n", by
        )

    def ours_is_out(self, workplace: Workplace) -> None:
        self.refused("ours is signed out", lambda: workplace.ours("status"), "not connected")

    def by_browser(self, workplace: Workplace, *flags: str) -> Outcome:
        arguments = ["connect", "--url", self.url, "--no-browser", *flags]
        return told(workplace.shell.connect(arguments, lambda link: self.person.approve_over_the_api(link, True)))

    # --- The story ---

    def play(self) -> None:
        self.ours_first()
        self.python_first()

    def ours_first(self) -> None:
        workplace = self.workplace()
        self.works("ours connects through the browser", lambda: self.by_browser(workplace), "Connected")
        self.python_is(workplace, f"{ADMIN} False")
        self.works("its command line, too", lambda: workplace.machine.run(["status"]), self.url)
        self.ours_is(workplace, ADMIN, "the token of this device")
        self.works("ours lists its devices", lambda: workplace.ours("device", "list"), "active")
        self.works("ours disconnects", lambda: workplace.ours("disconnect"), "Disconnected")
        self.python_is_out(workplace)

        workplace = self.workplace()
        self.works(
            "ours connects with an API key",
            lambda: workplace.ours("connect", "--url", self.url, "--api-key", typed=f"{self.key}\n"),
        )
        self.python_is(workplace, "ci True")
        self.works("its token is lost", lambda: workplace.machine.python(FORGET_THE_TOKEN.format(url=self.url)))
        self.python_is(workplace, "ci True")
        self.works("its token is lost again", lambda: workplace.machine.python(FORGET_THE_TOKEN.format(url=self.url)))
        self.ours_is(workplace, "ci", "an API key")
        self.works("the Python client logs out", workplace.machine.disconnect)
        self.ours_is_out(workplace)

        workplace = self.workplace()
        self.works(
            "ours connects with a password",
            lambda: workplace.ours("connect", "--url", self.url, "--username", ADMIN, typed=f"{PASSWORD}\n"),
        )
        self.python_is(workplace, f"{ADMIN} False")
        self.works("ours disconnects", lambda: workplace.ours("disconnect"), "Disconnected")
        self.python_is_out(workplace)

    def python_first(self) -> None:
        workplace = self.workplace()
        self.works(
            "the Python client connects through the browser",
            lambda: workplace.machine.connect(self.url, lambda link: self.person.approve_over_the_api(link, True)),
        )
        self.ours_is(workplace, ADMIN, "the token of this device")
        self.works("ours need not connect", lambda: workplace.ours("connect", "--url", self.url), "Already connected")
        self.python_is(workplace, f"{ADMIN} False")
        self.works("the Python client logs out", workplace.machine.disconnect)
        self.ours_is_out(workplace)

        workplace = self.workplace()
        self.works(
            "the Python client connects with an API key", lambda: workplace.machine.connect_with_key(self.url, self.key)
        )
        self.ours_is(workplace, "ci", "an API key")
        self.works("ours disconnects", lambda: workplace.ours("disconnect"), "Disconnected")
        self.python_is_out(workplace)

        workplace = self.workplace()
        variables = {"ZENML_STORE_URL": self.url, "ZENML_STORE_USERNAME": ADMIN, "ZENML_STORE_PASSWORD": PASSWORD}
        self.works(
            "the Python client keeps a password",
            lambda: workplace.machine.python(WHERE.format(url=self.url), variables),
            f"I AM {ADMIN} False",
        )
        self.works("its token is lost", lambda: workplace.machine.python(FORGET_THE_TOKEN.format(url=self.url)))
        self.works(
            "ours signs in with it",
            lambda: workplace.ours("status", extra={"ZENML_STORE_URL": self.url}),
            f"  {ADMIN}\n",
            "a password",
        )


def told(ended: Ended) -> Outcome:
    return Outcome(ended.code, ended.out + ended.err)
