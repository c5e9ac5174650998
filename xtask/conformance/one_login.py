#!/usr/bin/env python3
"""One connection for two programs: our command line and ZenML's Python client, on the same files, in both directions."""

import argparse
import os
import shutil
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

from login_files import Files
from login_story import RELEASE, OneLogin
from ours import Ours
from server import Server
from theirs import Theirs


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
