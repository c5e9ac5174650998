"""Connecting and disconnecting, and what is refused."""

from script import FOREIGN_KEY, Script
from typist import Typist


def strangers(script: Script, laptop: Typist) -> None:
    step = script.shown.begin
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


def connecting(script: Script, laptop: Typist) -> None:
    step = script.shown.begin
    step("three wrong codes deny a request")
    script.machine("denied").connect(script.wrong_codes)
    step("connect through the browser")
    laptop.connect(lambda link: script.admin.approve_over_the_api(link, True))
    step("status")
    script.learn(laptop("status --output json"), "device_id", "the laptop")
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


def disconnecting(script: Script, laptop: Typist) -> None:
    step = script.shown.begin
    step("disconnect")
    laptop("disconnect")
    laptop("status")
    laptop("disconnect")
    laptop("disconnect {url}")
    laptop("user list")
