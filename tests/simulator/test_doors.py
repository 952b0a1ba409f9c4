"""The page's own API: what it takes, and whom it turns away."""

from __future__ import annotations

import threading

import httpx
import pytest

from .conftest import AMINA, Simulation, until

SCHOOL = "+12125550100"
TEXT = {"from": AMINA, "to": SCHOOL, "body": "Hi"}


def test_phones_keep_their_labels(simulation: Simulation) -> None:
    labels = [{"number": AMINA, "label": "Amina Hassan", "language": "so"}, {"number": "(212) 555-0142", "label": "Bo"}]
    assert simulation.web.put("/simulator/phones", json=labels).json() == {"labelled": 2}
    simulation.web.put("/simulator/phones", json=[{"number": AMINA, "label": "Amina H.", "language": "so"}])
    phones = simulation.web.get("/simulator/phones").json()
    assert [(phone["number"], phone["label"], phone["language"]) for phone in phones] == [
        (AMINA, "Amina H.", "so"),
        ("+12125550142", "Bo", ""),
    ]


def test_a_phone_counts_what_nobody_looked_at(simulation: Simulation) -> None:
    simulation.buy(SCHOOL)
    for body in ("One", "Two"):
        simulation.twilio.messages.create(to=AMINA, from_=SCHOOL, body=body)
    until(lambda: len(simulation.texts_on(AMINA)) == 2)
    (phone,) = simulation.web.get("/simulator/phones").json()
    assert phone["unread"] == 2
    simulation.web.post(f"/simulator/phones/{AMINA}/read", json={})
    assert simulation.web.get("/simulator/phones").json()[0]["unread"] == 0


def test_open_pages_hear_of_a_text_at_once(simulation: Simulation) -> None:
    simulation.buy(SCHOOL)
    with simulation.web.stream("GET", "/simulator/events") as stream:
        lines = stream.iter_lines()
        assert next(line for line in lines if line.startswith("event")) == "event: hello"
        threading.Thread(target=simulation.text_from, args=(AMINA, SCHOOL, "Hi")).start()
        assert next(line for line in lines if line.startswith("event")) == "event: text"
        assert AMINA in next(lines)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"from": "nobody"}, "from must be a phone number"),
        ({"to": 5}, "to must be a phone number"),
        ({"to": "+12125550101"}, "not a number of this account"),
        ({"body": ""}, "Write something"),
        ({"body": "a" * 1601}, "longer than 1,600"),
        ({"body": "a\x00b"}, "control characters"),
        ({"body": "\ud800"}, "control characters"),
        ({"body": None}, "body must be text"),
        ({"media": "permission-slip"}, "media is a list"),
        ({"media": ["../../secret"]}, "a picture is one of"),
        ({"media": [{"content_type": "image/png", "data": "?"}]}, "not base64"),
    ],
)
def test_a_text_that_no_phone_could_send_is_refused_in_words(
    simulation: Simulation, wrong: dict, sentence: str
) -> None:
    simulation.buy(SCHOOL)
    import json

    answer = simulation.web.post(
        "/simulator/inbound", content=json.dumps(TEXT | wrong), headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 400 and sentence in answer.json()["error"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"[" * 100_000])
def test_what_is_no_json_object_is_refused(simulation: Simulation, content: bytes) -> None:
    answer = simulation.web.post("/simulator/inbound", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400 and "JSON" in answer.json()["error"]


def test_another_sites_page_changes_nothing(simulation: Simulation) -> None:
    simulation.buy(SCHOOL)
    for origin in ("https://evil.example", "null", "http://127.0.0.1:1"):
        assert simulation.web.post("/simulator/inbound", json=TEXT, headers={"Origin": origin}).status_code == 403
    own = simulation.config.base_url
    assert simulation.web.post("/simulator/inbound", json=TEXT, headers={"Origin": own}).status_code == 201


def test_a_form_that_any_page_could_send_is_refused(simulation: Simulation) -> None:
    assert simulation.web.post("/simulator/inbound", data=TEXT).status_code == 415


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "10.0.0.8", "api.twilio.com", "", "[::"])
def test_a_name_that_was_bent_to_this_machine_is_refused(simulation: Simulation, host: str) -> None:
    assert simulation.web.get("/simulator/phones", headers={"Host": host}).status_code in (400, 421)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:80", "[::1]:3010"])
def test_this_machines_own_names_are_fine(simulation: Simulation, host: str) -> None:
    assert simulation.web.get("/simulator/phones", headers={"Host": host}).status_code == 200


def test_a_body_without_end_is_refused(simulation: Simulation) -> None:
    huge = b"a" * 7_600_000
    assert simulation.web.post("/simulator/inbound", content=huge).status_code == 415
    headers = {"Content-Type": "application/json"}
    assert simulation.web.post("/simulator/inbound", content=huge, headers=headers).status_code == 413
    in_parts = (b"a" * 100_000 for _ in range(76))
    assert simulation.web.post("/simulator/inbound", content=in_parts, headers=headers).status_code == 413
    assert simulation.rest("POST", "Messages.json", content=huge).status_code == 413


def test_bytes_that_are_no_text_are_refused(simulation: Simulation) -> None:
    answer = simulation.rest("POST", "Messages.json", content=b"To=\xff\xfe&Body=%ff")
    assert (answer.status_code, answer.json()["code"]) == (400, 20001)


def test_the_page_tells_the_browser_to_run_nothing_foreign(simulation: Simulation) -> None:
    headers = simulation.web.get("/").headers
    assert "default-src 'self'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"


def test_nobody_guesses_a_pictures_address(simulation: Simulation) -> None:
    assert httpx.get(f"{simulation.config.base_url}/mms/ME{'0' * 32}/{'0' * 32}", trust_env=False).status_code == 404
