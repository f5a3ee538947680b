"""A citizen on the phone pages, by forms alone: log in, tick, confirm, wait, read."""

from __future__ import annotations

from dataclasses import dataclass

from tests.e2e.pages import Page, Visitor
from tests.e2e.processes import wait_for


@dataclass
class Citizen:
    """One logged-in citizen."""

    visitor: Visitor

    @classmethod
    def log_in(cls, visitor: Visitor, username: str, password: str) -> Citizen:
        page = visitor.get("/m/login")
        form = next(form for form in page.forms if form.choices("password"))
        home = visitor.submit(page, form, ("username", username), ("password", password))
        assert home.status == 200, home.text[:500]
        assert home.url.rstrip("/").endswith("/m"), home.url
        return cls(visitor)

    def home(self) -> Page:
        return self.visitor.get("/m")

    def offered(self) -> list[str]:
        """Invoice ids that can be ticked, in the page's order."""
        page = self.home()
        found = [form for form in page.forms if form.choices("bill")]
        return found[0].choices("bill") if found else []

    def check(self, bills: list[str]) -> Page:
        """The page that shows amounts and asks for the consent."""
        home = self.home()
        form = next(form for form in home.forms if form.choices("bill"))
        return self.visitor.submit(home, form, *[("bill", bill) for bill in bills])

    def touch(self, bills: list[str]) -> Page:
        """The one touch on the ticked bills; the receipt page."""
        return self.confirm(self.check(bills))

    def confirm(self, check: Page) -> Page:
        return self.visitor.submit(check, check.form("/submissions"), ("consent", "yes"))

    def at_rest(self, receipt: Page, seconds: float = 60) -> Page:
        """The receipt once every claim is closed: the page has stopped moving by itself."""

        def quiet() -> Page | None:
            page = self.visitor.get(receipt.url)
            assert page.status == 200, page.text[:300]
            return None if "Refresh" in page.headers else page

        return wait_for("the submission to come to rest", quiet, seconds, 0.3)
