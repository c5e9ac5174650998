#!/usr/bin/env python3
"""Drives our command line through one script against our server and against ZenML's own, and compares what it shows.

Deliberate differences are listed in differences.toml, each with its reason; a table of docs/compatibility.md is made from it. A
difference that is not listed fails, and so does a listed one that no longer occurs.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from typing import Dict, List, NamedTuple

import steps_accounts
import steps_connecting
import steps_devices
import steps_people
import steps_workloads
from differences import Differences, documented
from ours import Ours
from script import Script
from server import Server
from theirs import OUR_LIFETIMES, Theirs

# The script signs in wrongly more often than a person would.
OUR_SETTINGS = ("--polling-interval", "1s", "--rate-limit", "off")


class Played(NamedTuple):
    """What one server made of the script."""

    steps: Dict[str, List[str]]
    failure: str


def play_all(script: Script) -> None:
    """Everything that our command line does, in order."""
    laptop = script.machine("laptop")
    steps_connecting.strangers(script, laptop)
    steps_connecting.connecting(script, laptop)
    steps_devices.devices(script, laptop)
    steps_accounts.accounts(script, laptop)
    steps_accounts.keys(script, laptop)
    steps_workloads.workloads(script, laptop)
    steps_people.people(script, laptop)
    steps_connecting.disconnecting(script, laptop)


def play(binary: str, server: Server) -> Played:
    """Plays the script on a server that is not running yet, as far as it goes."""
    folder = os.path.realpath(tempfile.mkdtemp(prefix="zenml-script-"))
    try:
        with server:
            script = Script(binary, server, folder)
            try:
                play_all(script)
                failure = ""
            except Exception:
                last_words = "\n".join(server.log_text().splitlines()[-20:])
                failure = f"{traceback.format_exc()}\nThe server's last words:\n{last_words}"
            return Played(script.shown.steps, failure)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def compare(release: str, theirs: Played, ours: Played, listed: Differences) -> int:
    """Says what differs, and gives how many steps do."""
    failed = 0
    for step, shown in ours.steps.items():
        found = list(listed.compare(release, step, theirs.steps.get(step, []), shown))
        failed += bool(found)
        for each in found:
            print(f"FAILED {release} {step}:")
            print("\n".join(f"    {line}" for line in each.splitlines()))
    for step in theirs.steps.keys() - ours.steps.keys():
        failed += 1
        print(f"FAILED {release} {step}: was not played on our server")
    if not theirs.failure and not ours.failure:
        for each in listed.unused(release):
            failed += 1
            print(f"FAILED {release}: listed, but it no longer differs: {each}")
    passed = len(ours.steps) - failed
    print(f"{release}: {passed} steps are the same but for what is listed, {failed} failed", flush=True)
    return failed


def keep(folder: str, name: str, played: Played) -> None:
    """Writes a transcript down, for looking at it."""
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, f"{name}.txt"), "w", encoding="utf-8") as file:
        for step, lines in played.steps.items():
            file.write("\n".join([f"## {step}", *lines, ""]))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", required=True, help="our command line")
    parser.add_argument("--server-binary", required=True)
    parser.add_argument("--venv", action="append", required=True, metavar="RELEASE=FOLDER")
    parser.add_argument("--transcripts", required=True, metavar="FOLDER", help="where to keep what was shown")
    options = parser.parse_args()

    venvs = dict(each.split("=", 1) for each in options.venv)
    listed = Differences()
    failed = 0
    text, wanted = documented()
    if text != wanted:
        failed += 1
        print("FAILED docs/compatibility.md does not list what differences.toml does; run differences.py")

    begun = time.monotonic()
    # Each on a thread of its own: theirs mostly wait for their password hashes.
    with ThreadPoolExecutor() as pool:
        ours = pool.submit(lambda: play(options.binary, Ours(options.server_binary, *OUR_SETTINGS)))
        theirs = {
            release: pool.submit(lambda venv=venv: play(options.binary, Theirs(venv, OUR_LIFETIMES)))
            for release, venv in venvs.items()
        }
    keep(options.transcripts, "ours", ours.result())
    if ours.result().failure:
        failed += 1
        print(f"FAILED the script ended early on our server:\n{ours.result().failure}")
    for release, played in theirs.items():
        keep(options.transcripts, release, played.result())
        if played.result().failure:
            failed += 1
            print(f"FAILED the script ended early on ZenML {release}:\n{played.result().failure}")
        failed += compare(release, played.result(), ours.result(), listed)
    print(f"It took {time.monotonic() - begun:.0f} s; what was shown is in {options.transcripts}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
