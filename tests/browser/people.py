"""What people do at the screen, found by what a person perceives: roles, labels and words."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.product import PASSWORD, Product

MOST_TABS = 60
DOMAIN = "maplevalley.example"
STATUSES = ("Sending…", "Sending", "Queued", "Sent", "Delivered")

WATCH_STATUSES = """words => {
    window.seenStatuses = [];
    const log = document.querySelector('[role=log]');
    const look = () => {
        const walker = document.createTreeWalker(log, NodeFilter.SHOW_TEXT);
        let said = null;
        while (walker.nextNode()) {
            const text = walker.currentNode.data.trim();
            if (words.includes(text)) said = text;
        }
        if (said && said !== window.seenStatuses.at(-1)) window.seenStatuses.push(said);
    };
    new MutationObserver(look).observe(log, {subtree: true, childList: true, characterData: true});
}"""


class Person:
    """A member of staff before a screen."""

    def __init__(self, page: Page, product: Product, key: str) -> None:
        self.page = page
        self.product = product
        self.email = f"{key}@{DOMAIN}"
        self.list = page.get_by_role("region", name="Conversations")
        self.thread = page.get_by_role("region", name="Conversation", exact=True)
        self.bubbles = page.get_by_role("log", name="Messages")
        self.composer = page.get_by_role("textbox", name="Write a text")
        self.sender = page.get_by_role("combobox", name="From")
        self.rail = page.get_by_role("navigation", name="Main")

    def has_signed_in(self) -> None:
        """The quick way: the form that the page would post."""
        origin = {"Origin": self.product.url}
        form = {"email": self.email, "password": PASSWORD}
        answer = self.page.request.post(f"{self.product.url}/auth/sign-in", headers=origin, form=form, max_redirects=0)
        assert answer.headers["location"] == "/", answer.headers["location"]

    def signs_in(self, password: str = PASSWORD) -> None:
        """As a person does it, on the page."""
        self.page.get_by_label("E-mail address").fill(self.email)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Sign in").click()

    def goes_to(self, path: str) -> None:
        self.page.goto(self.product.url + path)

    def follows(self, path: str) -> None:
        """A link inside the app, whether or not one is on the screen."""
        self.page.evaluate(
            "path => { history.pushState({}, '', path); dispatchEvent(new PopStateEvent('popstate')) }", path
        )

    def in_another_tab(self, path: str) -> Person:
        """The same person in the same browser."""
        another = Person(self.page.context.new_page(), self.product, self.email.partition("@")[0])
        another.goes_to(path)
        return another

    def tabs_to(self, target: Locator, *, backwards: bool = False) -> None:
        """Presses Tab until the target has the focus; without end is not reachable."""
        for _ in range(MOST_TABS):
            if target.evaluate("element => element === document.activeElement"):
                return
            self.page.keyboard.press("Shift+Tab" if backwards else "Tab")
        raise AssertionError(f"the keyboard does not reach {target}")

    def tab(self, name: str) -> Locator:
        return self.page.get_by_role("navigation", name="Inboxes").get_by_role("link", name=name)

    def row(self, family: str) -> Locator:
        return self.list.get_by_role("link", name=family)

    def opens(self, family: str) -> None:
        """From the list that is on the screen."""
        self.row(family).click()
        self.sees_thread_of(family)

    def sees_thread_of(self, family: str) -> None:
        expect(self.thread.get_by_role("heading", name=family)).to_be_visible()

    def bubble(self, words: str | re.Pattern[str]) -> Locator:
        return self.bubbles.get_by_text(words)

    def writes(self, words: str) -> None:
        self.composer.fill(words)

    def sends(self, words: str | None = None) -> None:
        if words is not None:
            self.writes(words)
        self.thread.get_by_role("button", name="Send", exact=True).click()

    def chooses_sender(self, label: str) -> None:
        self.sender.select_option(label=label)
        expect(self.sender.locator("option:checked")).to_have_text(label)

    def watches_statuses(self) -> None:
        """From now on; `statuses` are what was said under the newest text, in this order."""
        self.page.evaluate(WATCH_STATUSES, list(STATUSES))

    @property
    def statuses(self) -> list[str]:
        return self.page.evaluate("window.seenStatuses")

    @property
    def unread_in_title(self) -> int:
        found = re.match(r"\((\d+)\) ", self.page.title())
        return int(found[1]) if found else 0

    def expect_unread_in_title(self, count: int) -> None:
        expect(self.page).to_have_title(re.compile(rf"^\({count}\) " if count else r"^[^(]"))

    @property
    def path(self) -> str:
        return self.page.url.removeprefix(self.product.url)


class Phones:
    """The simulator's page, played by one person for all families."""

    def __init__(self, page: Page, product: Product) -> None:
        self.page = page
        self.product = product
        self.texts = page.get_by_role("region", name="Texts")
        page.goto(product.simulator)
        expect(page.get_by_text("Live", exact=True)).to_be_visible()

    def row(self, family: str) -> Locator:
        return self.page.get_by_role("region", name="Family phones").get_by_role("link", name=family)

    def picks_up(self, family: str) -> None:
        self.row(family).click()
        expect(self.page.get_by_role("heading", name=family)).to_be_visible()

    def talks_to(self, name: str) -> None:
        self.page.get_by_role("list", name="Conversations on this phone").get_by_role("button", name=name).click()

    def answers(self, words: str) -> None:
        self.page.get_by_label("Text message").fill(words)
        self.page.keyboard.press("Enter")
        expect(self.page.get_by_text("The inbox has it")).to_be_visible()


def number_of_texts(product: Product, phone: str, words: str) -> int:
    """How many texts with these words the carrier has brought to a family's phone."""
    texts: list[dict[str, Any]] = product.texts_on_phone(phone)["texts"]
    return sum(words in text["body"] for text in texts if not text["own"])
