#!/usr/bin/env python3
"""One connection for two programs: our command line and ZenML's Python client, on the same files, in both directions."""

import argparse
import json
import os
import shutil
import stat
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from typing import Callable, Dict, List, Optional

from machine import Machine, Outcome
from ours import Ours
from person import Person
from report import Report
from server import ADMIN, PASSWORD, Server
from shell import Ended, Shell
from theirs import Theirs

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
# Texts that are something else in YAML 1.1, in YAML 1.2, or in both, unless they are quoted.
ODD = [
    *("yes", "NO", "on", "Off", "y", "true", "null", "~", "", "=", "<<"),
    *("1", "0o17", "017", "0x1F", "0b11", "1_000", "+1", "1e3", "12e5", "+.5", ".inf", ".nan", "1:30", "190:20:30"),
    *("2026-11-25", "2026-11-25 10:00:00", "2026-11-25T10:00:00Z"),
    *("a: b", "a #b", "- a", "? a", "*a", "&a", "!a", "%a", "@a", "`a", "'a", '"a', "{a", "[a", "|", ">", "---", "..."),
    *(" a ", "a\nb\n", "\ta", "a\\b", "é🚀", "\u2028", "\x07", "x" * 200 + " " + "y" * 200),
]
# What someone else may have written: texts like these, values of all kinds, and the same list at two places.
FOREIGN = """
import datetime, yaml
odd = {odd!r}
shared = [1, 2]
value = {{
    'texts': odd, 'keys': {{text: 1 for text in odd}}, 'numbers': [0, -7, 15, 1.5, 1e300, 10 ** 30, float('inf')],
    'others': [True, False, None, [], {{}}, [[1], {{'a': [{{}}]}}]], 'bytes': b'\\x00\\xff', 'set': {{'a', 'b'}},
    'times': [datetime.date(2026, 11, 25), datetime.datetime(2026, 11, 25, 10, 0, 1)], 'same': [shared, shared],
}}
"""
WRITE_FOREIGN = FOREIGN + """
for path, place in (({config!r}, lambda it: it), ({credentials!r}, lambda it: it[{url!r}])):
    with open(path) as file:
        document = yaml.safe_load(file)
    place(document)['future'] = value
    if path == {credentials!r}:
        document['https://elsewhere.example.com'] = {{'url': 'https://elsewhere.example.com', 'api_key': '1e3'}}
    with open(path, 'w') as file:
        file.write(yaml.dump(document))
"""
READ_FOREIGN = FOREIGN + """
with open({config!r}) as file:
    config = yaml.safe_load(file)
with open({credentials!r}) as file:
    credentials = yaml.safe_load(file)
assert config['future'] == value, config['future']
if {connected!r}:
    assert credentials[{url!r}]['future'] == value, credentials[{url!r}]['future']
assert credentials['https://elsewhere.example.com']['api_key'] == '1e3', credentials
from zenml.login.credentials_store import get_credentials_store
assert get_credentials_store().get_api_key('https://elsewhere.example.com') == '1e3'
print('ALL THERE', config['user_id'])
"""
BOTH = """
from zenml.login.credentials_store import get_credentials_store
store = get_credentials_store()
for url in {urls!r}:
    assert store.get_api_key(url) and store.get_token(url), url
print('BOTH THERE')
"""


class Desk:
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
        self.desks = 0
        self.person = Person(server)
        self.key = self.make_key()

    def desk(self) -> Desk:
        self.desks += 1
        return Desk(self.binary, self.venv, os.path.join(self.folder, f"desk-{self.desks}"))

    def make_key(self) -> str:
        account = json.loads(self.person.api("POST", "/api/v1/service_accounts", {"name": "ci", "active": True}).body)
        path = f"/api/v1/service_accounts/{account['id']}/api_keys"
        return str(json.loads(self.person.api("POST", path, {"name": "shared"}).body)["body"]["key"])

    # --- What each program says of the connection ---

    def python_is(self, desk: Desk, who: str, extra: Optional[Dict[str, str]] = None) -> None:
        script = WHERE.format(url=self.url)
        self.works(
            f"the Python client is {who} without signing in",
            lambda: desk.machine.python(script, extra),
            "KEPT True",
            f"STORE {self.url}",
            f"I AM {who}",
        )

    def python_is_out(self, desk: Desk) -> None:
        script = WHERE.format(url=self.url)
        self.works("the Python client is signed out", lambda: desk.machine.python(script), "KEPT False", "STORE sqlite")
        self.refused(
            "and would not be let in",
            lambda: desk.machine.python(script, {"ZENML_STORE_URL": self.url}),
            "No valid credentials found",
            "CredentialsNotValid",
        )

    def ours_is(self, desk: Desk, who: str, by: str) -> None:
        self.works(
            f"ours is {who} by {by} without signing in", lambda: desk.ours("status"), self.url, f"  {who}\n", by
        )

    def ours_is_out(self, desk: Desk) -> None:
        self.refused("ours is signed out", lambda: desk.ours("status"), "not connected")

    def by_browser(self, desk: Desk, *flags: str) -> Outcome:
        arguments = ["connect", "--url", self.url, "--no-browser", *flags]
        return told(desk.shell.connect(arguments, lambda link: self.person.approve_over_the_api(link, True)))

    # --- The story ---

    def play(self) -> None:
        self.ours_first()
        self.python_first()

    def ours_first(self) -> None:
        desk = self.desk()
        self.works("ours connects through the browser", lambda: self.by_browser(desk), "Connected")
        self.python_is(desk, f"{ADMIN} False")
        self.works("its command line, too", lambda: desk.machine.run(["status"]), self.url)
        self.ours_is(desk, ADMIN, "the token of this device")
        self.works("ours lists its devices", lambda: desk.ours("device", "list"), "active")
        self.works("ours disconnects", lambda: desk.ours("disconnect"), "Disconnected")
        self.python_is_out(desk)

        desk = self.desk()
        self.works(
            "ours connects with an API key",
            lambda: desk.ours("connect", "--url", self.url, "--api-key", typed=f"{self.key}\n"),
        )
        self.python_is(desk, "ci True")
        self.works("its token is lost", lambda: desk.machine.python(FORGET_THE_TOKEN.format(url=self.url)))
        self.python_is(desk, "ci True")
        self.works("its token is lost again", lambda: desk.machine.python(FORGET_THE_TOKEN.format(url=self.url)))
        self.ours_is(desk, "ci", "an API key")
        self.works("the Python client logs out", desk.machine.disconnect)
        self.ours_is_out(desk)

        desk = self.desk()
        self.works(
            "ours connects with a password",
            lambda: desk.ours("connect", "--url", self.url, "--username", ADMIN, typed=f"{PASSWORD}\n"),
        )
        self.python_is(desk, f"{ADMIN} False")
        self.works("ours disconnects", lambda: desk.ours("disconnect"), "Disconnected")
        self.python_is_out(desk)

    def python_first(self) -> None:
        desk = self.desk()
        self.works(
            "the Python client connects through the browser",
            lambda: desk.machine.connect(self.url, lambda link: self.person.approve_over_the_api(link, True)),
        )
        self.ours_is(desk, ADMIN, "the token of this device")
        self.works("ours need not connect", lambda: desk.ours("connect", "--url", self.url), "Already connected")
        self.python_is(desk, f"{ADMIN} False")
        self.works("the Python client logs out", desk.machine.disconnect)
        self.ours_is_out(desk)

        desk = self.desk()
        self.works(
            "the Python client connects with an API key", lambda: desk.machine.connect_with_key(self.url, self.key)
        )
        self.ours_is(desk, "ci", "an API key")
        self.works("ours disconnects", lambda: desk.ours("disconnect"), "Disconnected")
        self.python_is_out(desk)

        desk = self.desk()
        variables = {"ZENML_STORE_URL": self.url, "ZENML_STORE_USERNAME": ADMIN, "ZENML_STORE_PASSWORD": PASSWORD}
        self.works(
            "the Python client keeps a password",
            lambda: desk.machine.python(WHERE.format(url=self.url), variables),
            f"I AM {ADMIN} False",
        )
        self.works("its token is lost", lambda: desk.machine.python(FORGET_THE_TOKEN.format(url=self.url)))
        self.works(
            "ours signs in with it",
            lambda: desk.ours("status", extra={"ZENML_STORE_URL": self.url}),
            f"  {ADMIN}\n",
            "a password",
        )


class Files(OneLogin):
    """What becomes of the files themselves."""

    def play(self) -> None:
        self.where_they_are()
        self.what_is_not_ours()
        self.broken_ones()
        self.many_at_once()

    def where_they_are(self) -> None:
        """In the folder of the platform, as both find it."""
        for name, variables in (
            ("the platform's folder", {}),
            ("the folder of XDG_CONFIG_HOME", {"XDG_CONFIG_HOME": os.path.join(self.folder, "xdg")}),
        ):
            desk = self.desk()
            plain = {"ZENML_CONFIG_PATH": "", **variables}
            self.works(
                f"ours connects, in {name}",
                lambda: desk.ours("connect", "--url", self.url, "--api-key", typed=f"{self.key}\n", extra=plain),
            )
            self.python_is(desk, "ci True", plain)
            self.step(f"nothing but {name} was used", lambda: absent(desk.shell.config))

    def what_is_not_ours(self) -> None:
        desk = self.desk()
        self.works("the Python client connects", lambda: desk.machine.connect_with_key(self.url, self.key))
        places = {"config": desk.config, "credentials": desk.credentials, "url": self.url, "odd": ODD}
        self.works("somebody else adds to the files", lambda: desk.machine.python(WRITE_FOREIGN.format(**places)))
        for path in (desk.config, desk.credentials):
            os.chmod(path, 0o644)
        client_id = desk.machine.python(READ_FOREIGN.format(**places, connected=True)).text.strip().split(" ")[-1]
        for name, run, connected in (
            ("connects with a key", lambda: self.connect_with_key(desk, self.url), True),
            ("connects through the browser", lambda: self.by_browser(desk, "--refresh"), True),
            ("disconnects", lambda: desk.ours("disconnect"), False),
        ):
            self.works(f"ours {name}", run)
            self.works(
                "all that is not ours is there, as it was",
                lambda: desk.machine.python(READ_FOREIGN.format(**places, connected=connected)),
                f"ALL THERE {client_id}",
            )
            self.step("the files are for their owner only", lambda: private(desk))

    def broken_ones(self) -> None:
        for name in ("config.yaml", "credentials.yaml"):
            desk = self.desk()
            self.works("ours connects", lambda: self.connect_with_key(desk, self.url))
            path = os.path.join(desk.shell.config, name)
            with open(path, "a", encoding="utf-8") as file:
                file.write("{ broken: [\n")
            before = desk.files()
            for command in (["status"], ["device", "list"], ["connect", "--url", self.url, "--api-key"], ["disconnect"]):
                self.refused(
                    f"{name} is broken: {command[0]} names it",
                    lambda: desk.ours(*command, typed=f"{self.key}\n"),
                    path,
                )
                self.step("and leaves it alone", lambda: same(before, desk.files()))

    def many_at_once(self) -> None:
        desk = self.desk()
        self.works("the Python client connects", lambda: desk.machine.connect_with_key(self.url, self.key))
        places = {"config": desk.config, "credentials": desk.credentials, "url": self.url, "odd": ODD}
        self.works("somebody else adds to the files", lambda: desk.machine.python(WRITE_FOREIGN.format(**places)))
        urls = [self.url, f"http://localhost:{self.server.port}"]

        def all_at_once() -> None:
            with ThreadPoolExecutor(16) as pool:
                running: List["Callable[[], Outcome]"] = [
                    (lambda url=url: self.connect_with_key(desk, url)) for url in urls * 8
                ]
                for outcome in pool.map(lambda run: run(), running):
                    assert outcome.code == 0, outcome.text

        self.step("16 of ours connect at once, to two servers", all_at_once)
        self.works("both connections are kept", lambda: desk.machine.python(BOTH.format(urls=urls)), "BOTH THERE")
        self.works(
            "and all that is not ours",
            lambda: desk.machine.python(READ_FOREIGN.format(**places, connected=True)),
            "ALL THERE",
        )
        self.step("nothing is left lying about", lambda: tidy(desk))

    def connect_with_key(self, desk: Desk, url: str) -> Outcome:
        return desk.ours("connect", "--url", url, "--api-key", typed=f"{self.key}\n")


def told(ended: Ended) -> Outcome:
    return Outcome(ended.code, ended.out + ended.err)


def absent(path: str) -> None:
    assert not os.path.exists(path), f"{path} is there"


def private(desk: Desk) -> None:
    for path in (desk.config, desk.credentials):
        mode = stat.S_IMODE(os.stat(path).st_mode)
        assert mode == 0o600, f"{path} has the mode {mode:o}"


def same(before: Dict[str, bytes], after: Dict[str, bytes]) -> None:
    assert before == after, f"{before}\nbecame\n{after}"


def tidy(desk: Desk) -> None:
    left = [name for name in os.listdir(desk.shell.config) if name.startswith(".zenml-auth-")]
    assert not left, f"{left}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", required=True, help="our command line")
    parser.add_argument("--server-binary", required=True)
    parser.add_argument("--venv", required=True, help=f"with ZenML {RELEASE}, its client and its server")
    options = parser.parse_args()
    venv = os.path.abspath(options.venv)
    settings = ("--polling-interval", "1s", "--rate-limit", "off")

    def play(kind: "type[OneLogin]", title: str, server: Server) -> OneLogin:
        folder = os.path.realpath(tempfile.mkdtemp(prefix="zenml-login-"))
        try:
            with server:
                story = kind(title, options.binary, venv, server, folder)
                story.play()
                return story
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    # Two at a time: a machine of two cores has to start the Python client some eighty times.
    with ThreadPoolExecutor(2) as pool:
        stories = [
            pool.submit(lambda: play(OneLogin, "theirs", Theirs(venv))),
            pool.submit(lambda: play(OneLogin, "ours", Ours(options.server_binary, *settings))),
            pool.submit(lambda: play(Files, "files", Ours(options.server_binary, *settings))),
        ]
    passed = sum(story.result().passed for story in stories)
    failed = sum(story.result().failed for story in stories)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
