"""The script: everything that our command line does, against one server, whoever made it."""

import json
import os
import re
import shlex
from typing import Callable, Dict, List, Optional

from person import Person
from server import ADMIN, PASSWORD, Server
from shell import Ended, Shell
from transcript import UUID, Transcript

# A whole key that no server gave out.
FOREIGN_KEY = (
    "ZENKEY_eyJpZCI6IjRiMGExMjY0LWUzNjEtNGVkYy04NzA1LTFmMGMzZmYxZjEzYiIsImtleSI6Ijc2NzdmMWE4YjQ4ZjBkYWE3YTA2ODk1Zjgw"
    "ZjVkZjZlOTNhMmFlMjk2YmQ2ZmYxZDk0ZjY2MDA2MWIwZTQwYzQifQ=="
)
NOBODY = "00000000-0000-4000-8000-000000000000"


class Script:
    """Plays the script on a server, and keeps what was shown."""

    def __init__(self, binary: str, server: Server, folder: str) -> None:
        self.binary = binary
        self.server = server
        self.folder = folder
        self.shown = Transcript(server.url, folder)
        self.admin = Person(server)

    def machine(self, name: str) -> "Typist":
        return Typist(self, Shell(self.binary, os.path.join(self.folder, name)))

    def play(self) -> Transcript:
        laptop = self.machine("laptop")
        self.strangers(laptop)
        self.connecting(laptop)
        self.devices(laptop)
        self.accounts(laptop)
        self.keys(laptop)
        self.workloads(laptop)
        self.people(laptop)
        self.disconnecting(laptop)
        return self.shown

    def strangers(self, laptop: "Typist") -> None:
        step = self.shown.begin
        step("nobody is connected yet")
        laptop("status")
        laptop("status --output json")
        laptop("device list")
        laptop("auth explain")
        laptop("disconnect")
        laptop("connect")
        step("an address that is none of the API's")
        laptop("connect --url {url}/nothing-here")
        step("connecting with credentials that are none")
        laptop("connect --url {url} --api-key", typed="ZENKEY_abc\n")
        laptop("connect --url {url} --api-key", typed=f"{FOREIGN_KEY}\n")
        laptop("connect --url {url} --username default", typed="wrong\n")
        laptop("connect --url {url} --username nobody", typed="wrong\n")

    def connecting(self, laptop: "Typist") -> None:
        step = self.shown.begin
        step("three wrong codes deny a request")
        self.machine("denied").connect(self.wrong_codes)
        step("connect through the browser")
        laptop.connect(lambda link: self.admin.approve_over_the_api(link, True))
        step("status")
        self.learn(laptop("status --output json"), "device_id", "the laptop")
        laptop("status")
        laptop("status --output yaml")
        laptop("status --output csv")
        step("connect again, without need")
        laptop("connect")
        laptop("connect --url {url}/")
        step("explain")
        laptop("auth explain")
        step("who am I")
        laptop("user describe")
        laptop("user describe --output json")

    def devices(self, laptop: "Typist") -> None:
        step = self.shown.begin
        step("connect a second device, not trusted")
        borrowed = self.machine("borrowed")
        borrowed.connect(lambda link: self.admin.approve_over_the_api(link, False))
        device = self.learn(borrowed("status --output json"), "device_id", "the borrowed machine")
        short = device[:12]
        step("list devices")
        laptop("device list")
        for form in ("json", "yaml", "csv", "tsv"):
            laptop(f"device list --output {form}")
        step("list devices, by column, order and page")
        laptop("device list --columns id,status,user,zenml_version")
        laptop("device list --columns id --sort-by asc:created --output csv")
        laptop("device list --columns id --size 1 --page 2 --output csv")
        laptop("device list --page 9")
        laptop("device list --sort-by asc:nonsense")
        step("list devices, filtered")
        laptop("device list --columns id,status --status active")
        laptop("device list --status locked")
        laptop("device list --columns id --trusted-device false")
        laptop(f"device list --columns id --id startswith:{short}")
        laptop(f"device list --columns id --id {device}")
        laptop("device list --columns id --created gt:2020-01-01")
        laptop("device list --columns id --created lt:2020-01-01")
        laptop("device list --columns id --trusted-device true --status locked --logical-operator or")
        laptop("device list --status sleeping")
        step("list devices by what ZenML's server does not filter by")
        laptop("device list --columns id --hostname startswith:zzz")
        step("describe a device")
        laptop(f"device describe {device}")
        laptop(f"device describe {short}")
        laptop(f"device describe {device} --output json")
        step("devices that are not there")
        laptop(f"device describe {NOBODY}")
        laptop("device describe 00000000")
        laptop("device describe laptop")
        laptop(f"device lock {NOBODY}")
        laptop(f"device delete {NOBODY} --yes")
        step("lock a device")
        laptop(f"device lock {short}")
        laptop("device list --columns id --status locked")
        borrowed("status")
        borrowed("device list")
        borrowed("auth explain")
        step("unlock a device")
        laptop(f"device unlock {device}")
        borrowed("status")
        step("connect a device anew, trusted now")
        borrowed.connect(lambda link: self.admin.approve_over_the_api(link, True), "--refresh")
        laptop("device list --columns id,status,trusted_device")
        step("delete a device")
        laptop(f"device delete {device}")
        laptop(f"device delete {device} --yes")
        laptop(f"device delete {device} --yes")
        borrowed("status")
        borrowed("disconnect")

    def accounts(self, laptop: "Typist") -> None:
        step = self.shown.begin
        step("create service accounts")
        laptop.learn_key("service-account create ci --description 'builds and tests'")
        laptop("service-account create nightly --create-api-key false --output json")
        laptop("service-account create web --create-api-key false")
        laptop("service-account create spare --full-name 'A spare one' --output json")
        step("service accounts that can't be created")
        laptop("service-account create ci")
        laptop("service-account create ''")
        laptop(f"service-account create {'x' * 300}")
        laptop("service-account create web --output-file nowhere/at/all/key")
        step("list service accounts")
        laptop("service-account list")
        for form in ("json", "yaml", "csv", "tsv"):
            laptop(f"service-account list --output {form}")
        laptop("service-account list --columns name --sort-by asc:name --size 2 --page 2")
        laptop("service-account list --sort-by sideways:name")
        laptop("service-account list --page 7")
        step("list service accounts, filtered")
        laptop("service-account list --columns name --name startswith:ni")
        laptop("service-account list --columns name --name ci")
        laptop("service-account list --columns name --name oneof:ci,web --sort-by asc:name")
        laptop("service-account list --columns name --name 'oneof:[\"ci\"]'")
        laptop("service-account list --columns name --name notcontains:i --sort-by asc:name")
        laptop("service-account list --columns name --description contains:tests")
        laptop("service-account list --columns name --active true --sort-by asc:name")
        laptop("service-account list --columns name --active false")
        laptop("service-account list --columns name --name ci --description contains:zzz --logical-operator or")
        step("describe a service account")
        account = self.learn(laptop("service-account describe ci --output json"), "id", "ci")
        laptop("service-account describe ci")
        laptop(f"service-account describe {account}")
        laptop(f"service-account describe {account[:12]} --output yaml")
        step("service accounts that are not there")
        laptop("service-account describe nobody")
        laptop("service-account describe zz")
        laptop(f"service-account describe {NOBODY}")
        laptop("service-account update nobody --active false")
        laptop("service-account delete nobody --yes")
        step("update a service account")
        laptop("service-account update web")
        laptop("service-account update web --description 'the site'")
        laptop("service-account update web --full-name 'Web site'")
        laptop("service-account update web --active false")
        laptop("service-account list --columns name,active --active false")
        laptop("service-account update web --active true")
        laptop("service-account update web --name site")
        laptop("service-account update site --name ci")
        laptop("service-account describe site --output json")
        step("delete a service account")
        laptop("service-account delete site")
        laptop("service-account delete site --yes")
        laptop("service-account delete site --yes")
        laptop("service-account list --columns name --sort-by asc:name")

    def keys(self, laptop: "Typist") -> None:
        step = self.shown.begin
        keys = "service-account api-key nightly"
        step("create API keys")
        laptop(f"{keys} create first --description 'one of them'")
        laptop(f"{keys} create second --output json")
        laptop(f"{keys} create third --output-file third.key")
        step("an API key that ends by itself")
        laptop(f"{keys} create ending --expires-in-days 90")
        laptop(f"{keys} describe ending")
        laptop(f"{keys} delete ending --yes")
        step("API keys that can't be created")
        laptop(f"{keys} create first")
        laptop(f"{keys} create ''")
        laptop(f"{keys} create {'x' * 300}")
        laptop("service-account api-key nobody create first")
        step("list API keys")
        laptop(f"{keys} list")
        for form in ("json", "yaml", "csv", "tsv"):
            laptop(f"{keys} list --output {form}")
        laptop(f"{keys} list --columns name --sort-by asc:name --size 2")
        step("list API keys, filtered")
        laptop(f"{keys} list --columns name --name endswith:d --sort-by desc:name")
        laptop(f"{keys} list --columns name --active false")
        laptop(f"{keys} list --columns name --last-rotated isnull: --sort-by asc:name")
        laptop(f"{keys} list --columns name --description contains:them")
        step("describe an API key")
        key = self.learn(laptop(f"{keys} describe first --output json"), "id", "the first key")
        laptop(f"{keys} describe first")
        laptop(f"{keys} describe {key[:12]} --output yaml")
        step("API keys that are not there")
        laptop(f"{keys} describe nothing")
        laptop(f"{keys} describe {NOBODY}")
        laptop(f"{keys} rotate nothing")
        laptop(f"{keys} update nothing --active false")
        laptop(f"{keys} delete nothing --yes")
        step("update an API key")
        laptop(f"{keys} update second")
        laptop(f"{keys} update second --description 'the second of three'")
        laptop(f"{keys} update second --name other")
        laptop(f"{keys} update other --name first")
        laptop(f"{keys} update other --active false")
        laptop(f"{keys} describe other")
        laptop(f"{keys} update other --active true")
        step("rotate an API key")
        laptop(f"{keys} rotate other")
        laptop(f"{keys} rotate other --retain 60")
        laptop(f"{keys} rotate other --retain 60 --output json")
        laptop(f"{keys} describe other")
        step("delete an API key")
        laptop(f"{keys} delete other")
        laptop(f"{keys} delete other --yes")
        laptop(f"{keys} list --columns name --sort-by asc:name")

    def workloads(self, laptop: "Typist") -> None:
        step = self.shown.begin
        step("connect with an API key")
        worker = self.machine("worker")
        first = laptop.key
        worker("connect --url {url} --api-key", typed=f"{first}\n")
        worker("status")
        worker("status --output json")
        worker("user describe")
        worker("auth explain")
        step("what a workload may do")
        worker("device list")
        worker("user list --columns name")
        worker("user create mallory --password First-Passw0rd")
        worker("service-account list --columns name --sort-by asc:name")
        worker("service-account describe ci --output json")
        worker("service-account create more --create-api-key false")
        laptop("service-account delete more --yes")
        step("connect by variables")
        container = self.machine("container")
        by_first = self.variables(first)
        container("status", extra=by_first)
        container("user describe --output json", extra=by_first)
        container("auth explain", extra=by_first)
        container("disconnect", extra=by_first)
        container("status")
        step("variables that are no good")
        container("status", extra=self.variables("ZENKEY_abc"))
        container("status", extra=self.variables(first[:-12]))
        container("status", extra=self.variables(FOREIGN_KEY))
        container("auth explain", extra=self.variables(FOREIGN_KEY))
        container("user describe", extra={**by_first, "ZENML_STORE_URL": "nonsense"})
        container("user describe", extra={"ZENML_STORE_URL": self.server.url, "ZENML_STORE_API_TOKEN": "garbage"})
        person = {"ZENML_STORE_USERNAME": ADMIN, "ZENML_STORE_PASSWORD": PASSWORD, "ZENML_STORE_URL": self.server.url}
        container("user describe", extra=person)
        container("user describe", extra={**person, "ZENML_STORE_PASSWORD": "wrong"})
        step("rotate with retention: both keys are good")
        second = laptop.learn_key("service-account api-key ci rotate default --retain 60")
        container("status", extra=by_first)
        by_second = self.variables(second)
        container("status", extra=by_second)
        worker("user describe")
        step("rotate without retention: the old keys are refused")
        third = laptop.learn_key("service-account api-key ci rotate default")
        by_third = self.variables(third)
        container("user describe", extra=by_first)
        container("user describe", extra=by_second)
        container("user describe", extra=by_third)
        container("auth explain", extra=by_second)
        step("a connection whose key was rotated away")
        worker("status")
        worker("auth explain")
        worker("connect --api-key", typed=f"{third}\n")
        step("a machine goes on as a service account")
        other = self.machine("other")
        other("connect --url {url} --username default", typed=f"{PASSWORD}\n")
        other("service-account api-key nightly rotate first --set-key")
        other("status")
        other("user describe --output json")
        step("a key that is switched off")
        laptop("service-account api-key ci update default --active false")
        worker("user describe")
        container("user describe", extra=by_third)
        laptop("service-account api-key ci update default --active true")
        worker("user describe")
        step("an account that is switched off")
        laptop("service-account update ci --active false")
        worker("user describe")
        container("user describe", extra=by_third)
        container("auth explain", extra=by_third)
        laptop("service-account update ci --active true")
        worker("user describe")
        step("a key that is deleted")
        laptop("service-account api-key ci delete default --yes")
        worker("user describe")
        worker("auth explain")
        container("user describe", extra=by_third)
        step("an account that is deleted")
        fourth = laptop.learn_key("service-account api-key ci create again")
        worker("connect --api-key", typed=f"{fourth}\n")
        laptop("service-account delete ci --yes")
        worker("user describe")
        container("user describe", extra=self.variables(fourth))
        worker("disconnect")

    def people(self, laptop: "Typist") -> None:
        step = self.shown.begin
        step("create users")
        laptop("user create ann --full-name 'Ann Other'", typed="First-Passw0rd\n")
        laptop("user create bob --password Second-Passw0rd --output json")
        laptop("user create eve --is-admin", typed="First-Passw0rd\n")
        step("invite users")
        invited = laptop("user create cara --invite").out.strip()
        laptop("user create dan --invite --output json")
        step("users that can't be created")
        laptop("user create ann", typed="First-Passw0rd\n")
        laptop("user create ''", typed="First-Passw0rd\n")
        laptop(f"user create {'x' * 300}", typed="First-Passw0rd\n")
        step("list users")
        laptop("user list --sort-by asc:name")
        for form in ("json", "yaml", "csv", "tsv"):
            laptop(f"user list --sort-by asc:name --output {form}")
        laptop("user list --columns name --sort-by asc:name --size 2 --page 2")
        laptop("user list --page 9")
        step("list users, filtered")
        laptop("user list --columns name --name startswith:a")
        laptop("user list --columns name --active false --sort-by asc:name")
        laptop("user list --columns name --full-name contains:Other")
        laptop("user list --columns name --email isnull: --sort-by asc:name")
        laptop("user list --columns name --created lt:2020-01-01")
        step("describe a user")
        ann = self.learn(laptop("user describe ann --output json"), "id", "ann")
        laptop("user describe ann")
        laptop(f"user describe {ann[:12]}")
        laptop(f"user describe {ann} --output yaml")
        step("users that are not there")
        laptop("user describe nobody")
        laptop(f"user describe {NOBODY}")
        laptop("user update nobody --full-name Nobody")
        laptop("user deactivate nobody")
        laptop("user delete nobody --yes")
        step("update a user")
        laptop("user update ann")
        laptop("user update ann --full-name 'Ann Another' --yes")
        laptop("user update ann --email ann@example.com --yes")
        laptop("user update ann --admin --yes")
        laptop("user describe ann")
        laptop("user update ann --user --yes")
        laptop("user update ann --name bob --yes")
        laptop("user update ann --name anna --yes")
        laptop("user update anna --name ann --yes")
        laptop("user update bob --active false --yes")
        laptop("user update bob --active true --yes")
        step("a user connects with a password")
        hers = self.machine("hers")
        hers("connect --url {url} --username ann", typed="First-Passw0rd\n")
        hers("status")
        hers("auth explain")
        hers("device list")
        hers("user list --columns name")
        step("what a user may not do")
        hers("user create mallory --password First-Passw0rd")
        hers("user describe bob")
        hers("user update bob --full-name Mallory --yes")
        hers("user update ann --admin --yes")
        hers("user deactivate bob")
        hers("user delete bob --yes")
        step("service accounts are for administrators")
        hers("service-account list --columns name")
        hers("service-account create mine --create-api-key false")
        laptop("service-account delete mine --yes")
        step("a user connects a device")
        phone = self.machine("phone")
        other = Person(self.server, "ann", "First-Passw0rd")
        phone.connect(lambda link: other.approve_over_the_api(link, True))
        own = self.learn(phone("status --output json"), "device_id", "her device")
        phone("device list --columns id,status,user")
        laptop(f"device describe {own}")
        laptop(f"device lock {own}")
        step("change one's password")
        change = "user change-password"
        hers(change, typed="nope\nThird-Passw0rd\n")
        hers(change, typed="First-Passw0rd\n\n")
        hers(change, typed="First-Passw0rd\nThird-Passw0rd\n")
        step("what was signed in before a password change")
        hers("user describe")
        phone("user describe")
        step("connect with the new password")
        hers("connect --url {url} --username ann", typed="First-Passw0rd\n")
        hers("connect --url {url} --username ann", typed="Third-Passw0rd\n")
        hers("user describe")
        step("deactivate a user")
        again = laptop("user deactivate ann").out.strip()
        laptop("user list --columns name,active --active false --sort-by asc:name")
        hers("user describe")
        hers("connect --url {url} --username ann --refresh", typed="Third-Passw0rd\n")
        step("come back with the activation token")
        self.activate("ann", again, "Fourth-Passw0rd")
        hers("connect --url {url} --username ann", typed="Fourth-Passw0rd\n")
        self.activate("cara", invited, "Fifth-Passw0rd")
        hers("connect --url {url} --username cara", typed="Fifth-Passw0rd\n")
        step("delete a user")
        laptop("user delete cara")
        laptop("user delete cara --yes")
        hers("user describe")
        laptop("user delete cara --yes")
        step("what an administrator may not do")
        laptop("user delete default --yes")
        laptop("user deactivate default")
        laptop("user update default --active false --yes")
        laptop("user update default --user --yes")

    def disconnecting(self, laptop: "Typist") -> None:
        step = self.shown.begin
        step("disconnect")
        laptop("disconnect")
        laptop("status")
        laptop("disconnect")
        laptop("disconnect {url}")
        laptop("user list")

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


class Typist:
    """Somebody at a machine; what they type and what comes of it is written down."""

    def __init__(self, script: Script, shell: Shell) -> None:
        self.script = script
        self.shell = shell
        self.key = ""

    def __call__(self, line: str, typed: str = "", extra: Optional[Dict[str, str]] = None) -> Ended:
        line = line.replace("{url}", self.script.server.url)
        ended = self.shell.run(shlex.split(line), typed, extra)
        self.note(line, ended, extra)
        return ended

    def connect(self, decide: Callable[[str], None], *flags: str) -> Ended:
        """Connects through the browser of somebody who decides."""
        arguments: List[str] = ["connect", "--url", self.script.server.url, "--no-browser", *flags]
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
        self.script.shown.note(f"{place}: {variables}zenml {line}", ended)
