"""What a person does beside the command line: sign in and let machines in, over the API or over the pages."""

import http.cookiejar
import json
import re
import urllib.parse
import urllib.request
from html import unescape
from typing import Any, Callable, Dict, Optional, Tuple

from server import ADMIN, PASSWORD, Answer, Server


class Person:
    """Somebody with a password and no command line."""

    def __init__(self, server: Server, name: str = ADMIN, password: str = PASSWORD) -> None:
        self.server = server
        self.name = name
        self.password = password

    def api(self, method: str, path: str, body: Optional[Dict[str, Any]] = None) -> Answer:
        """A request to the API with a fresh token."""
        form = urllib.parse.urlencode({"username": self.name, "password": self.password})
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        signed_in = self.server.request("POST", "/api/v1/login", form, headers)
        assert signed_in.status == 200, signed_in.text()
        token = json.loads(signed_in.body)["access_token"]
        return self.server.request(
            method,
            path,
            None if body is None else json.dumps(body),
            {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        )

    def approve_over_the_api(self, link: str, trusted: bool) -> None:
        """Approves a device as a dashboard does."""
        query = urllib.parse.parse_qs(urllib.parse.urlparse(link).query)
        device, code = query["device_id"][0], query["user_code"][0]
        body = {"user_code": code, "trusted_device": trusted}
        answer = self.api("PUT", f"/api/v1/devices/{device}/verify", body)
        assert answer.status == 200, answer.text()

    def approve_over_the_pages(self, link: str, trusted: bool) -> None:
        """Approves a device as a browser does: follow the link, sign in, look, approve."""
        page, post = self.signed_in(link)
        assert "Go on only if you started this yourself" in page, page
        fields = {name: hidden(page, name) for name in ("csrf", "device_id", "user_code")}
        if trusted:
            fields["trusted"] = "yes"
        page = post("/devices/verify/decision", {**fields, "decision": "approve"})
        assert "Device approved" in page, page

    def unlock_over_the_pages(self, device: str) -> None:
        """Unlocks a device on its page."""
        page, post = self.signed_in(f"{self.server.url}/devices/{device}")
        assert "This device is locked" in page, page
        page = post(f"/devices/{device}/unlock", {"csrf": hidden(page, "csrf")})
        assert "This device is locked" not in page and device in page, page

    def change_password(self, password: str) -> None:
        """Changes the password over the API, after signing in."""
        body = {"password": password, "old_password": self.password}
        answer = self.api("PUT", "/api/v1/current-user", body)
        assert answer.status == 200, answer.text()
        self.password = password

    def is_refused_with_a_wrong_password(self, password: str) -> None:
        """Tries to change the password after signing in, with a wrong old one."""
        body = {"password": password, "old_password": "nope"}
        answer = self.api("PUT", "/api/v1/current-user", body)
        assert answer.status == 403, answer.text()
        assert json.loads(answer.body)["detail"][0] == "IllegalOperationError", answer.text()
        # That would be for the sign-in, and the old password not be looked at.
        assert "www-authenticate" not in answer.headers, answer.headers

    def signed_in(self, link: str) -> Tuple[str, Callable[[str, Dict[str, str]], str]]:
        """Follows a link in a new browser and signs in; gives the page, and what sends forms."""
        jar = http.cookiejar.CookieJar()
        browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))

        def post(path: str, fields: Dict[str, str]) -> str:
            data = urllib.parse.urlencode(fields).encode()
            return str(browser.open(self.server.url + path, data, timeout=30).read().decode())

        page = browser.open(link, timeout=30).read().decode()
        fields = {name: hidden(page, name) for name in ("csrf", "next")}
        return post("/login", {**fields, "username": self.name, "password": self.password}), post


def set_password_over_the_page(server: Server, link: str, password: str) -> None:
    """Follows an activation link and sets a password."""
    jar = http.cookiejar.CookieJar()
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
    page = browser.open(link, timeout=30).read().decode()
    fields = {name: hidden(page, name) for name in ("csrf", "user", "token")}
    fields["username"] = urllib.parse.parse_qs(urllib.parse.urlparse(link).query)["username"][0]
    fields.update(password=password, password_again=password)
    data = urllib.parse.urlencode(fields).encode()
    page = browser.open(server.url + "/activate-user", data, timeout=30).read().decode()
    assert "your password is set" in page, page


def hidden(page: str, name: str) -> str:
    """The value of a hidden field."""
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found, f"no field {name} in {page}"
    return unescape(found.group(1))
