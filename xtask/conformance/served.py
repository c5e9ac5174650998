"""ZenML's own server for somebody else's measurements: tells where it is, and goes on until the input ends."""

import argparse
import sys

from theirs import Theirs


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--venv", required=True, help="the environment that ZenML is installed in")
    venv = arguments.parse_args().venv
    with Theirs(venv) as server:
        print(f"127.0.0.1:{server.port} {server.process.pid}", flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
