"""What becomes of the files that both programs keep their connection in."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from typing import Callable, Dict, List

from login_story import Workplace, OneLogin
from machine import Outcome

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
            workplace = self.workplace()
            plain = {"ZENML_CONFIG_PATH": "", **variables}
            self.works(
                f"ours connects, in {name}",
                lambda: workplace.ours("connect", "--url", self.url, "--api-key", typed=f"{self.key}\n", extra=plain),
            )
            self.python_is(workplace, "ci True", plain)
            self.step(f"nothing but {name} was used", lambda: absent(workplace.shell.config))

    def what_is_not_ours(self) -> None:
        workplace = self.workplace()
        self.works("the Python client connects", lambda: workplace.machine.connect_with_key(self.url, self.key))
        places = {"config": workplace.config, "credentials": workplace.credentials, "url": self.url, "odd": ODD}
        self.works("somebody else adds to the files", lambda: workplace.machine.python(WRITE_FOREIGN.format(**places)))
        for path in (workplace.config, workplace.credentials):
            os.chmod(path, 0o644)
        client_id = workplace.machine.python(READ_FOREIGN.format(**places, connected=True)).text.strip().split(" ")[-1]
        for name, run, connected in (
            ("connects with a key", lambda: self.connect_with_key(workplace, self.url), True),
            ("connects through the browser", lambda: self.by_browser(workplace, "--refresh"), True),
            ("disconnects", lambda: workplace.ours("disconnect"), False),
        ):
            self.works(f"ours {name}", run)
            self.works(
                "all that is not ours is there, as it was",
                lambda: workplace.machine.python(READ_FOREIGN.format(**places, connected=connected)),
                f"ALL THERE {client_id}",
            )
            self.step("the files are for their owner only", lambda: private(workplace))

    def broken_ones(self) -> None:
        for name in ("config.yaml", "credentials.yaml"):
            workplace = self.workplace()
            self.works("ours connects", lambda: self.connect_with_key(workplace, self.url))
            path = os.path.join(workplace.shell.config, name)
            with open(path, "a", encoding="utf-8") as file:
                file.write("{ broken: [\n")
            before = workplace.files()
            for command in (["status"], ["device", "list"], ["connect", "--url", self.url, "--api-key"], ["disconnect"]):
                self.refused(
                    f"{name} is broken: {command[0]} names it",
                    lambda: workplace.ours(*command, typed=f"{self.key}\n"),
                    path,
                )
                self.step("and leaves it alone", lambda: same(before, workplace.files()))

    def many_at_once(self) -> None:
        workplace = self.workplace()
        self.works("the Python client connects", lambda: workplace.machine.connect_with_key(self.url, self.key))
        places = {"config": workplace.config, "credentials": workplace.credentials, "url": self.url, "odd": ODD}
        self.works("somebody else adds to the files", lambda: workplace.machine.python(WRITE_FOREIGN.format(**places)))
        urls = [self.url, f"http://localhost:{self.server.port}"]

        def all_at_once() -> None:
            with ThreadPoolExecutor(16) as pool:
                running: List[Callable[[], Outcome]] = [
                    (lambda url=url: self.connect_with_key(workplace, url)) for url in urls * 8
                ]
                for outcome in pool.map(lambda run: run(), running):
                    assert outcome.code == 0, outcome.text

        self.step("16 of ours connect at once, to two servers", all_at_once)
        self.works("both connections are kept", lambda: workplace.machine.python(BOTH.format(urls=urls)), "BOTH THERE")
        self.works(
            "and all that is not ours",
            lambda: workplace.machine.python(READ_FOREIGN.format(**places, connected=True)),
            "ALL THERE",
        )
        self.step("nothing is left lying about", lambda: tidy(workplace))

    def connect_with_key(self, workplace: Workplace, url: str) -> Outcome:
        return workplace.ours("connect", "--url", url, "--api-key", typed=f"{self.key}\n")


def absent(path: str) -> None:
    assert not os.path.exists(path), f"{path} is there"


def private(workplace: Workplace) -> None:
    for path in (workplace.config, workplace.credentials):
        mode = stat.S_IMODE(os.stat(path).st_mode)
        assert mode == 0o600, f"{path} has the mode {mode:o}"


def same(before: Dict[str, bytes], after: Dict[str, bytes]) -> None:
    assert before == after, f"{before}\nbecame\n{after}"


def tidy(workplace: Workplace) -> None:
    left = [name for name in os.listdir(workplace.shell.config) if name.startswith(".zenml-auth-")]
    assert not left, f"{left}"
