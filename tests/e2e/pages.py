"""A browser without a screen: forms, links and cookies over real HTTP, no JavaScript."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin

import requests

REDIRECTS_MAX = 5


@dataclass
class Form:
    action: str
    method: str
    fields: list[tuple[str, str, str, bool]] = field(default_factory=list)
    """(name, value, type, checked) of each input, in order."""

    def values(self) -> list[tuple[str, str]]:
        """What a browser sends without touching anything."""
        return [
            (name, value)
            for name, value, kind, checked in self.fields
            if kind not in ("checkbox", "radio", "submit", "button") or checked
        ]

    def choices(self, name: str) -> list[str]:
        return [value for n, value, _, _ in self.fields if n == name]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.forms: list[Form] = []
        self.links: list[str] = []
        self.refresh = ""
        self.words: list[str] = []
        self._open: Form | None = None
        self._skip = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        got = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._open = Form(got.get("action", ""), got.get("method", "get").lower())
            self.forms.append(self._open)
        elif tag == "a" and "href" in got:
            self.links.append(got["href"])
        elif tag in ("script", "style"):
            self._skip += 1
        elif tag == "meta" and got.get("http-equiv", "").lower() == "refresh":
            self.refresh = got.get("content", "")
        elif tag in ("input", "button") and "name" in got:
            # A control may stand outside its form and name it (form="..."); ours are inside.
            target = self._open or (self.forms[-1] if self.forms else None)
            if target is not None:
                kind = got.get("type", "submit" if tag == "button" else "text")
                checked = any(name == "checked" for name, _ in attrs)
                value = got.get("value", "on" if kind == "checkbox" else "")
                target.fields.append((got["name"], value, kind, checked))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = None
        elif tag in ("script", "style"):
            self._skip -= 1

    def handle_data(self, data: str) -> None:
        if not self._skip and data.strip():
            self.words.append(data.strip())


@dataclass
class Page:
    url: str
    status: int
    headers: dict[str, str]
    html: str
    forms: list[Form]
    links: list[str]
    text: str
    refresh: str

    def form(self, part: str) -> Form:
        """The one form whose action contains ``part``."""
        found = [form for form in self.forms if part in form.action]
        assert len(found) == 1, f"{len(found)} forms with {part!r} at {self.url}: {self.text[:400]}"
        return found[0]


class Visitor:
    """One browser with its own cookies."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self.session = requests.Session()

    def get(self, path: str) -> Page:
        return self._request("GET", urljoin(self.base_url, path))

    def submit(self, page: Page, form: Form, *extra: tuple[str, str]) -> Page:
        """Send ``form``; ``extra`` replaces equally named values."""
        named = {name for name, _ in extra}
        values = [pair for pair in form.values() if pair[0] not in named] + list(extra)
        target = urljoin(page.url, form.action or page.url)
        if form.method == "post":
            return self._request("POST", target, data=values, headers={"Referer": page.url})
        return self._request("GET", target, params=values)

    def _request(self, method: str, url: str, **more: Any) -> Page:
        """One request and the redirects that follow it.

        Browsers send Secure cookies to 127.0.0.1 over http, and requests does not: each cookie
        loses the mark as it arrives.
        """
        for _ in range(REDIRECTS_MAX):
            answer = self.session.request(method, url, allow_redirects=False, timeout=30, **more)
            for cookie in self.session.cookies:
                cookie.secure = False
            if not answer.is_redirect:
                return self._page(answer)
            method, url, more = "GET", urljoin(url, answer.headers["Location"]), {}
        raise AssertionError(f"more than {REDIRECTS_MAX} redirects at {url}")

    def _page(self, answer: requests.Response) -> Page:
        reader = _Reader()
        if "html" in answer.headers.get("Content-Type", ""):
            reader.feed(answer.text)
        return Page(
            answer.url, answer.status_code, dict(answer.headers), answer.text,
            reader.forms, reader.links, "\n".join(reader.words), reader.refresh,
        )  # fmt: skip
