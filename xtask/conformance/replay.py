#!/usr/bin/env python3
"""Replays what ZenML's servers answered against ours, and compares.

Each recorded exchange is sent as it was, with the ids, codes, keys and tokens of the recording replaced by those that
our server gave out at the same place. Compared are the status, the class of an error, every recorded field with its
type, and the headers that clients rely on. Where the two recordings disagree, the newer one's status and class count.

Deliberate differences are listed in a table of docs/compatibility.md. A difference that is not listed fails, and so
does a listed one that no longer occurs.
"""

import argparse
import json
import os
import re
import sys
from typing import Any, Dict, Iterator, List, Optional, Set, Tuple
from urllib.parse import quote

from ours import Ours
from server import Answer, Server

RELEASES = ("0.98.0", "0.58.2")

# Which exchange gives out which token, and which one shows which. Everything else is the administrator's.
GIVES = {
    "login: password grant, explicit": "administrator",
    "poll: granted": "device",
    "login with api key": "first key",
    "login with the third key": "third key",
    "login as the new user": "new user",
    "login with the new password": "new user, new password",
}
SHOWS = {
    "current user with the device token": "device",
    "request with the locked device's token": "device",
    "request after unlock": "device",
    "request with the deleted device's token": "device",
    "current user with api key token": "first key",
    "service account may not create service accounts?": "first key",
    "devices of a service account": "first key",
    "request with a token of the first key": "first key",
    "request with a deactivated key's token": "third key",
    "request with a token of a deactivated account": "third key",
    "request after activation": "third key",
    "request with a deleted key's token": "third key",
    "user may not create users": "new user",
    "user may not create service accounts": "new user",
    "change own password: wrong old one": "new user",
    "change own password": "new user",
    "request with a token from before the password change": "new user",
    "device of another user is not seen": "new user, new password",
    "request with a deactivated user's token": "new user, new password",
}
GARBAGE = "current user with a garbage token"
KEY_ITSELF = "current user with the api key itself as bearer"

# Fields whose values our server makes up anew.
MADE_UP = re.compile(r"(^|_)id$|^(device_code|user_code|key|activation_token)$")
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class Replay:
    """One recording against one fresh server."""

    def __init__(self, release: str, server: Server, expectations: Dict[str, Dict[str, Any]]) -> None:
        self.release = release
        self.server = server
        self.expectations = expectations
        self.ours: Dict[str, str] = {}
        self.tokens: Dict[str, str] = {}
        self.first_key: Optional[str] = None

    def play(self, exchange: Dict[str, Any]) -> List[str]:
        """Sends one exchange and gives what differs."""
        note = exchange["note"]
        headers = {}
        if exchange["content_type"]:
            headers["Content-Type"] = exchange["content_type"]
        if exchange["auth"]:
            headers["Authorization"] = f"Bearer {self.token(note)}"
        if note in ("device authorization", "second device"):
            headers["User-Agent"] = f"Host/laptop ZenML/{self.release} Python/3.11.7 OS/Linux"
        body = exchange["request"]
        answer = self.server.request(
            exchange["method"],
            self.translated(exchange["path"]),
            None if body is None else self.translated(body),
            headers,
        )
        ours = parsed(answer)
        self.learn(exchange["response"], ours)
        if note in GIVES and answer.status == 200:
            self.tokens[GIVES[note]] = ours["access_token"]
        if note == "create api key":
            self.first_key = ours["body"]["key"]
        return list(self.compare(exchange, answer, ours))

    def token(self, note: str) -> str:
        if note == GARBAGE:
            return "garbage"
        if note == KEY_ITSELF:
            assert self.first_key is not None
            return self.first_key
        return self.tokens[SHOWS.get(note, "administrator")]

    def translated(self, text: str) -> str:
        for theirs, ours in self.ours.items():
            text = text.replace(theirs, ours).replace(quote(theirs, safe=""), quote(ours, safe=""))
        return text

    def learn(self, theirs: Any, ours: Any, name: str = "") -> None:
        """Remembers what stands in our answer where something made up stands in the recorded one."""
        if isinstance(theirs, dict) and isinstance(ours, dict):
            for field in theirs:
                self.learn(theirs[field], ours.get(field), field)
        elif isinstance(theirs, list) and isinstance(ours, list):
            # Listings of the recording hold what earlier runs had left.
            for one in theirs:
                same = [other for other in ours if is_named_alike(one, other)]
                if same:
                    self.learn(one, same[0])
        elif isinstance(theirs, str) and isinstance(ours, str):
            if MADE_UP.search(name) and name != "client_id":
                self.ours.setdefault(theirs, ours)
            elif name == "verification_uri_complete":
                for their_id, our_id in zip(UUID.findall(theirs), UUID.findall(ours)):
                    self.ours.setdefault(their_id, our_id)

    def compare(self, exchange: Dict[str, Any], answer: Answer, ours: Any) -> Iterator[str]:
        newer = self.expectations.get(exchange["note"], exchange)
        if answer.status != newer["status"]:
            yield f"status {newer['status']} → {answer.status}"
        theirs = error_class(newer["response"])
        if answer.status >= 400 and newer["status"] >= 400 and error_class(ours) != theirs:
            yield f"error {theirs} → {error_class(ours)}"
        if answer.status == 200:
            for recorded in (newer, exchange):
                if recorded["status"] == 200:
                    yield from missing(recorded["response"], ours, "")
        yield from self.headers(newer, answer)

    @staticmethod
    def headers(recorded: Dict[str, Any], answer: Answer) -> Iterator[str]:
        if "no-store" in recorded["headers"].get("cache-control", "") and "no-store" not in answer.headers.get(
            "cache-control", ""
        ):
            yield "no cache-control"
        if "www-authenticate" in recorded["headers"] and "www-authenticate" not in answer.headers:
            yield "no www-authenticate"
        if "set-cookie" in recorded["headers"] and not answer.cookies:
            yield "no set-cookie"
        theirs = recorded["headers"].get("content-type", "").split(";")[0]
        if theirs and answer.headers.get("content-type", "").split(";")[0] != theirs:
            yield f"content type {theirs} → {answer.headers.get('content-type')}"
        if recorded["status"] >= 400 and "x-request-id" not in answer.headers:
            yield "no x-request-id"


def is_named_alike(one: Any, other: Any) -> bool:
    return isinstance(one, dict) and isinstance(other, dict) and one.get("name") == other.get("name")


def parsed(answer: Answer) -> Any:
    if answer.headers.get("content-type", "").startswith("application/json"):
        return json.loads(answer.body)
    return answer.text()


def error_class(body: Any) -> Optional[str]:
    """What clients decide on, in whichever form the body has it."""
    if isinstance(body, list):
        return f"bare {body[0]}"
    if isinstance(body, dict) and "error" in body:
        return str(body["error"])
    detail = body.get("detail") if isinstance(body, dict) else None
    if isinstance(detail, list):
        # The framework of old releases has lists of its own.
        return str(detail[0]) if isinstance(detail[0], str) else "framework"
    return "plain" if isinstance(detail, str) else None


def missing(theirs: Any, ours: Any, path: str) -> Iterator[str]:
    """Every recorded field has to be there, and of the same type. Ours may have more."""
    if theirs is None:
        return
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for field, value in theirs.items():
            here = f"{path}.{field}" if path else field
            if field not in ours:
                yield f"no {here}"
            else:
                yield from missing(value, ours[field], here)
    elif isinstance(theirs, list) and isinstance(ours, list):
        if theirs and not ours:
            yield f"{path} is empty"
        elif theirs:
            yield from missing(theirs[0], ours[0], f"{path}[0]")
    elif type(theirs) is not type(ours):
        yield f"{path or 'body'}: {type(theirs).__name__} → {type(ours).__name__}"
    elif isinstance(theirs, str) and re.match(r"\d{4}-\d\d-\d\dT", theirs):
        if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}", str(ours)):
            yield f"{path}: no time as on the wire"


def listed(path: str) -> Set[Tuple[str, str, str]]:
    """The deliberate differences: release, exchange, difference."""
    rows = set()
    with open(path, encoding="utf-8") as document:
        for line in document:
            cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
            if len(cells) == 4 and cells[0].startswith(("0.", "both")):
                releases = RELEASES if cells[0] == "both" else (cells[0],)
                for release in releases:
                    for difference in re.findall(r"`([^`]+)`", cells[2]):
                        rows.add((release, cells[1], difference))
    return rows


def recording(folder: str, release: str) -> List[Dict[str, Any]]:
    with open(os.path.join(folder, f"zenml-{release}.jsonl"), encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def main() -> int:
    here = os.path.dirname(os.path.abspath(__file__))
    root = os.path.dirname(os.path.dirname(here))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--server-binary", required=True)
    parser.add_argument("--wire-dir", default=os.path.join(root, "crates", "api", "wire"))
    parser.add_argument("--compatibility", default=os.path.join(root, "docs", "compatibility.md"))
    options = parser.parse_args()

    expected = listed(options.compatibility)
    newer = {exchange["note"]: exchange for exchange in recording(options.wire_dir, RELEASES[0])}
    passed = failed = 0
    found: Set[Tuple[str, str, str]] = set()
    for release in RELEASES:
        with Ours(options.server_binary, "--rate-limit", "off") as server:
            replay = Replay(release, server, newer)
            for exchange in recording(options.wire_dir, release):
                differences = {(release, exchange["note"], each) for each in replay.play(exchange)}
                found |= differences
                unlisted = sorted(each for _, _, each in differences - expected)
                if unlisted:
                    failed += 1
                    print(f"FAILED {release} {exchange['note']}: {'; '.join(unlisted)}")
                else:
                    passed += 1
    for release, note, difference in sorted(expected - found):
        failed += 1
        print(f"FAILED {release} {note}: listed in the table, but it no longer differs: {difference}")
    print(f"{len(found)} deliberate differences found")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
