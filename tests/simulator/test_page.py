"""The Phones page in a real browser: with the mouse, with the keyboard, on a phone, light and dark."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from .conftest import AMINA, BRUNO, CHEN, District, Simulate, Simulation, free_port, until

pytestmark = pytest.mark.browser

SCHOOL, SALLY = "+12125550100", "+12125550101"
CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DESKTOP, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def lincoln(simulation: Simulation, district: District) -> Simulation:
    simulation.buy(SCHOOL, sms_url=f"{district.url}/in", friendly_name="Lincoln Middle School")
    simulation.buy(SALLY, sms_url=f"{district.url}/in", friendly_name="Sally Ortiz")
    simulation.web.put(
        "/simulator/phones",
        json=[
            {"number": AMINA, "label": "Amina Hassan", "language": "so"},
            {"number": BRUNO, "label": "Bruno Costa", "language": "pt"},
            {"number": CHEN, "label": "陈 Mei", "language": "zh"},
            {"number": "+12125550197", "label": "Dolores Vega", "language": "es"},
        ],
    )
    return simulation


@pytest.fixture
def page(browser: Browser, lincoln: Simulation) -> Iterator[Page]:
    context = browser.new_context(viewport=DESKTOP, reduced_motion="reduce")
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda line: problems.append(line.text) if is_problem(line) else None)
    page.goto(lincoln.config.base_url)
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    yield page
    context.close()
    assert problems == []


def is_problem(line: ConsoleMessage) -> bool:
    """A refusal of what somebody typed is none, though Chromium logs it."""
    return line.type == "error" and "status of 400" not in line.text


def send(simulation: Simulation, to: str, body: str, sender: str = SALLY) -> None:
    simulation.twilio.messages.create(to=to, from_=sender, body=body)


def test_a_text_rings_and_is_answered_without_a_reload(page: Page, lincoln: Simulation, district: District) -> None:
    send(lincoln, AMINA, "Sally Ortiz, Lincoln: <b>Ayaan</b> was late today. All well?")
    row = page.get_by_role("link", name="Amina Hassan")
    expect(row).to_contain_text("1 new text")
    expect(page).to_have_title("(1) Simulator — family phones")
    row.click()
    expect(page.get_by_text("<b>Ayaan</b> was late")).to_have_count(2)
    expect(row).not_to_contain_text("1 new text")
    expect(page).to_have_title("Simulator — family phones")
    page.get_by_label("Text message").fill("The bus was late 🙂")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Texts").get_by_text("The bus was late 🙂")).to_be_visible()
    expect(page.get_by_text("The inbox has it")).to_be_visible()
    (webhook,) = district.webhooks
    assert (webhook.form["From"], webhook.form["To"], webhook.form["Body"]) == (AMINA, SALLY, "The bus was late 🙂")


def test_everything_works_with_the_keyboard_alone(page: Page, lincoln: Simulation, district: District) -> None:
    page.keyboard.press("/")
    page.keyboard.type("bruno")
    expect(page.locator(".row")).to_have_count(1)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Bruno Costa")).to_be_visible()
    expect(page.get_by_label("Text message")).to_be_focused()
    page.keyboard.type("Bom dia")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("Obrigado")
    page.keyboard.press("Enter")
    until(lambda: [webhook.form["Body"] for webhook in district.webhooks] == ["Bom dia\nObrigado"])
    page.keyboard.press("Escape")
    expect(page.get_by_text("Pick up a phone")).to_be_visible()
    expect(page.get_by_role("link", name="Bruno Costa")).to_be_focused()


def test_a_picture_is_attached_and_sent(page: Page, lincoln: Simulation, district: District) -> None:
    page.get_by_role("link", name="Amina Hassan").click()
    page.get_by_role("button", name="Attach a picture").click()
    page.get_by_role("button", name="A signed permission slip").click()
    page.get_by_label("Text message").fill("Signed!")
    page.get_by_role("button", name="Send").click()
    picture = page.get_by_role("img", name="Picture")
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") == 800
    assert district.webhooks[0].form["NumMedia"] == "1"


def test_stop_and_start_are_answered_by_the_carrier_on_the_phone(page: Page, lincoln: Simulation) -> None:
    send(lincoln, AMINA, "Hello")
    page.get_by_role("link", name="Amina Hassan").click()
    page.get_by_role("button", name="STOP").click()
    expect(page.get_by_label("Texts").get_by_text("successfully been unsubscribed")).to_be_visible()
    expect(page.get_by_text("Automatic")).to_be_visible()
    page.get_by_role("button", name="START").click()
    expect(page.get_by_label("Texts").get_by_text("successfully been re-subscribed")).to_be_visible()


def test_each_number_is_a_conversation_with_its_own_draft(page: Page, lincoln: Simulation) -> None:
    send(lincoln, AMINA, "From Sally")
    page.get_by_role("link", name="Amina Hassan").click()
    page.get_by_label("Text message").fill("To Sally")
    page.get_by_label("Text another number of the district").select_option(label="Lincoln Middle School")
    expect(page.get_by_label("Text message")).to_have_value("")
    send(lincoln, AMINA, "From Sally again")
    expect(page.get_by_role("button", name="New: Sally Ortiz")).to_be_visible()
    page.get_by_role("button", name="Sally Ortiz").click()
    expect(page.get_by_label("Text message")).to_have_value("To Sally")
    expect(page.get_by_label("Texts").get_by_text("From Sally again")).to_be_visible()


def test_a_phone_opens_at_its_latest_text_with_room_to_write(page: Page, lincoln: Simulation) -> None:
    for place in range(30):
        lincoln.text_from(AMINA, SALLY, f"Text {place}")
    page.get_by_role("link", name="Amina Hassan").click()
    texts = page.get_by_label("Texts")
    expect(texts.get_by_text("Text 29")).to_be_in_viewport()
    box = page.get_by_label("Text message").bounding_box()
    assert box and box["height"] >= 36
    texts.evaluate("box => box.scrollTop = 0")
    lincoln.text_from(AMINA, SALLY, "Written elsewhere")
    expect(texts.get_by_text("Written elsewhere")).to_be_in_viewport()


def test_what_a_label_says_after_its_dot_stands_below_the_name(page: Page, lincoln: Simulation) -> None:
    label = "Amina Abdirahman Hassan · Family of Ayaan, Hodan and Abdullahi Hassan"
    lincoln.web.put("/simulator/phones", json=[{"number": AMINA, "label": label, "language": "so"}])
    row = page.get_by_role("link", name="Amina Abdirahman Hassan")
    name = row.get_by_text("Amina Abdirahman Hassan", exact=True)
    expect(name).to_be_visible()
    assert name.evaluate("name => name.scrollWidth <= name.clientWidth")
    expect(row.get_by_text("Family of Ayaan, Hodan and Abdullahi Hassan", exact=True)).to_be_visible()
    row.click()
    expect(page.get_by_role("heading", name="Amina Abdirahman Hassan", exact=True)).to_be_visible()


def test_a_phone_that_cannot_receive_says_why(page: Page) -> None:
    page.get_by_role("link", name="Dolores Vega").click()
    expect(page.get_by_text("This is a landline")).to_be_visible()


def test_an_inbox_that_is_away_is_named(page: Page, district: District) -> None:
    district.answers = {"/in": [500]}
    page.get_by_role("link", name="Amina Hassan").click()
    page.get_by_role("button", name="Thank you!").click()
    expect(page.get_by_text("Sent, but the inbox answered 500")).to_be_visible()


def test_a_call_is_heard_word_by_word(page: Page, lincoln: Simulation, district: District) -> None:
    (number,) = lincoln.twilio.incoming_phone_numbers.list(phone_number=SALLY)
    number.update(voice_url=f"{district.url}/voice")
    district.bodies = {
        "/voice": '<Response><Say language="es-MX">Hola, es la escuela.</Say><Pause length="2"/>'
        "<Dial>+12125550188</Dial><Hangup/></Response>"
    }
    page.get_by_role("link", name="Amina Hassan").click()
    page.get_by_label("Text another number of the district").select_option(label="Sally Ortiz")
    page.get_by_role("button", name="Call Sally Ortiz").click()
    called = page.get_by_role("dialog", name="Calling Sally Ortiz")
    expect(called.get_by_role("listitem")).to_contain_text(
        ["Hola, es la escuela.", "2 s of silence", "Put through to (212) 555-0188", "The call ends"]
    )
    expect(called.get_by_text("Hola, es la escuela.")).to_have_attribute("lang", "es-MX")
    assert violations(page) == []
    page.keyboard.press("Escape")
    expect(called).to_be_hidden()
    expect(page.get_by_role("button", name="Call Sally Ortiz")).to_be_focused()


def test_a_call_that_nobody_answers_says_so(page: Page) -> None:
    page.get_by_role("link", name="Amina Hassan").click()
    page.get_by_role("button", name="Call Lincoln Middle School").click()
    expect(page.get_by_text("The number has no VoiceUrl")).to_be_visible()
    page.get_by_role("button", name="Hang up").click()
    expect(page.get_by_label("Text message")).to_be_visible()


def test_trouble_is_switched_on_strikes_is_counted_and_switched_off(page: Page, lincoln: Simulation) -> None:
    page.get_by_role("button", name="Trouble: off").click()
    panel = page.get_by_role("dialog", name="Trouble")
    expect(panel.get_by_text("Everything is off")).to_be_visible()
    expect(panel.get_by_role("button", name="Turn everything off")).to_be_disabled()
    share = panel.get_by_role("slider", name="429 Too many requests").first
    share.focus()
    page.keyboard.press("End")
    expect(panel.get_by_text("It has not struck yet.")).to_be_visible()
    expect(share).to_be_focused()
    assert lincoln.rest("POST", "Messages.json", data={"To": AMINA, "From": SALLY, "Body": "Hi"}).status_code == 429
    expect(panel.get_by_text("It has struck 1 time.")).to_be_visible()
    expect(panel.get_by_text("1×")).to_be_visible()
    panel.get_by_role("button", name="Turn everything off").click()
    expect(panel.get_by_text("Everything is off")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Trouble: off")).to_be_focused()
    send(lincoln, AMINA, "Hi")


def test_a_number_is_made_to_fail_and_mended(page: Page, lincoln: Simulation) -> None:
    page.get_by_role("button", name="Trouble: off").click()
    panel = page.get_by_role("dialog", name="Trouble")
    panel.get_by_label("Number or its last digits").fill("the nurse")
    panel.get_by_role("button", name="Add").click()
    expect(panel.get_by_role("alert")).to_contain_text("must be a phone number or its last digits")
    panel.get_by_label("Number or its last digits").fill("0141")
    page.keyboard.press("Enter")
    expect(panel.get_by_text("Texts to …0141: undelivered, 30005")).to_be_visible()
    sent = lincoln.twilio.messages.create(to=AMINA, from_=SALLY, body="Hi")
    until(lambda: lincoln.twilio.messages(sent.sid).fetch().error_code == 30005)
    panel.get_by_role("button", name="Remove: Texts to …0141").click()
    expect(panel.get_by_text("Texts to …0141")).to_have_count(0)
    assert lincoln.web.get("/simulator/faults").json()["on"] is False


def test_every_open_page_shows_that_there_is_trouble(page: Page, lincoln: Simulation) -> None:
    lincoln.web.put("/simulator/faults", json={"account": "suspended", "inbound": {"late": 0.25}})
    page.get_by_role("button", name="Trouble: on").click()
    panel = page.get_by_role("dialog", name="Trouble")
    expect(panel.get_by_label("Twilio says")).to_have_value("suspended")
    expect(panel.get_by_role("group").filter(has_text="families’ texts").get_by_text("25 %")).to_be_visible()
    panel.get_by_label("Twilio says").select_option(label="Password refused (20003)")
    until(lambda: lincoln.web.get("/simulator/faults").json()["faults"]["account"] == "refused")


def test_a_text_that_trouble_holds_back_says_so(page: Page, lincoln: Simulation, district: District) -> None:
    lincoln.web.put("/simulator/faults", json={"inbound": {"lost": 1}})
    page.get_by_role("link", name="Amina Hassan").click()
    page.get_by_role("button", name="Thank you!").click()
    expect(page.get_by_text("lost on its way to the inbox (Trouble)")).to_be_visible()
    assert district.webhooks == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_axe_finds_nothing_in_the_trouble_panel(page: Page, lincoln: Simulation, scheme: str, size: dict) -> None:
    ailment = {"to": "0187", "code": 30005, "end": "failed", "times": 2}
    lincoln.web.put("/simulator/faults", json={"callbacks": {"lost": 1}, "ailments": [ailment]})
    page.set_viewport_size(size)
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.get_by_role("button", name="Trouble: on").click()
    expect(page.get_by_text("It has not struck yet.")).to_be_visible()
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == size["width"]


def test_two_pages_and_a_reload_show_the_same(page: Page, lincoln: Simulation, browser: Browser) -> None:
    page.goto(f"{lincoln.config.base_url}/#{AMINA}")
    expect(page.get_by_role("heading", name="Amina Hassan")).to_be_visible()
    other = browser.new_page(viewport=DESKTOP)
    other.goto(f"{lincoln.config.base_url}/#{AMINA}")
    other.get_by_label("Text message").fill("Written elsewhere")
    other.keyboard.press("Enter")
    expect(page.get_by_label("Texts").get_by_text("Written elsewhere")).to_be_visible()
    other.close()
    page.reload()
    expect(page.get_by_label("Texts").get_by_text("Written elsewhere")).to_have_count(1)


def test_a_page_finds_its_way_back_after_a_restart(browser: Browser, simulate: Simulate) -> None:
    port = free_port()
    simulate(port=port).buy(SALLY)
    page = browser.new_page(viewport=DESKTOP)
    page.goto(f"http://127.0.0.1:{port}/#{AMINA}")
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    simulate.stop_last()
    expect(page.get_by_text("Reconnecting…")).to_be_visible()
    send(simulate(port=port), AMINA, "While you were away")
    expect(page.get_by_label("Texts").get_by_text("While you were away")).to_be_visible(timeout=15_000)
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    page.close()


def test_an_open_phone_shakes_unless_one_wants_calm(browser: Browser, lincoln: Simulation) -> None:
    moving = {}
    for motion in ("no-preference", "reduce"):
        context = browser.new_context(viewport=DESKTOP, reduced_motion=motion)
        page = context.new_page()
        page.goto(f"{lincoln.config.base_url}/#{AMINA}")
        expect(page.get_by_role("heading", name="Amina Hassan")).to_be_visible()
        expect(page.get_by_text("Live", exact=True)).to_be_visible()
        send(lincoln, AMINA, f"Hello {motion}")
        expect(page.locator("#phone.ringing")).to_be_visible()
        moving[motion] = page.evaluate("getComputedStyle(document.querySelector('#phone')).animationName")
        context.close()
    assert moving == {"no-preference": "vibrate", "reduce": "none"}


def test_on_a_phone_one_thing_fills_the_screen_at_a_time(page: Page, lincoln: Simulation) -> None:
    page.set_viewport_size(PHONE)
    send(lincoln, AMINA, "Hello")
    page.get_by_role("link", name="Amina Hassan").click()
    expect(page.get_by_label("Search phones by name or number")).to_be_hidden()
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    page.get_by_role("button", name="Back to all phones").click()
    expect(page.get_by_role("link", name="Amina Hassan")).to_be_focused()
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_axe_finds_nothing(page: Page, lincoln: Simulation, scheme: str, size: dict) -> None:
    page.set_viewport_size(size)
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    send(lincoln, AMINA, "Hello")
    send(lincoln, BRUNO, "Hello")
    expect(page.get_by_role("link", name="Bruno Costa")).to_contain_text("1 new text")
    assert violations(page) == []
    page.get_by_role("link", name="Amina Hassan").click()
    page.get_by_role("button", name="STOP").click()
    expect(page.get_by_text("Automatic")).to_be_visible()
    page.get_by_role("button", name="Attach a picture").click()
    expect(page.get_by_role("button", name=re.compile("permission slip"))).to_be_visible()
    assert violations(page) == []


def violations(page: Page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [f"{each['id']}: {node['html']}" for each in found for node in each["nodes"]]
