"""Steps that have to succeed, one after the other, and how many did."""

import re
import traceback
from typing import Callable

from machine import Outcome


class Report:
    """What became of the steps so far."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.passed = self.failed = 0

    def step(self, name: str, check: Callable[[], None]) -> None:
        try:
            check()
        except (AssertionError, OSError, KeyError, ValueError, RuntimeError) as error:
            self.failed += 1
            detail = (str(error) or traceback.format_exc()).strip().splitlines()[-40:]
            # In one piece, as others may be printing, too.
            print("\n".join([f"FAILED {self.title} {name}", *(f"    {line}" for line in detail)]), flush=True)
        else:
            self.passed += 1
            print(f"ok {self.title} {name}", flush=True)

    def works(self, name: str, run: Callable[[], Outcome], *shown: str) -> Outcome:
        """A command that has to succeed, and show these."""
        outcome = [Outcome(1, "it did not run")]

        def check() -> None:
            outcome[0] = run()
            code, text = outcome[0]
            assert code == 0, f"exit code {code}\n{text}"
            for part in shown:
                assert part in text, f"{part!r} is not shown\n{text}"

        self.step(name, check)
        return outcome[0]

    def refused(self, name: str, run: Callable[[], Outcome], *shown: str) -> None:
        """A command that has to fail, and say one of these."""

        def check() -> None:
            code, text = run()
            assert code != 0, f"it was accepted\n{text}"
            folded = re.sub(r"\s+", " ", text)
            assert not shown or any(part in folded for part in shown), f"none of {shown} is said\n{text}"

        self.step(name, check)
