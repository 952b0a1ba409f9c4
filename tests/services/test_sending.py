"""Writing a text down to be sent: who may, to whom, and once."""

from uuid import uuid4

import pytest

from tests.cast import Town
from tp_inbox.domain.errors import NotFound


async def test_a_counselor_sends_and_the_text_is_queued_with_signature_and_introduction(town: Town) -> None:
    alice = await town.actor("alice")
    thread = await town.personal("alice")
    row = await town.wired.services.sending.send(alice, thread, "Mia did well today.", uuid4(), 0)
    assert (row.state, row.text) == ("queued", "Mia did well today.")
    assert "This is Alice Adams, counselor at Lincoln Middle School. Reply STOP" in row.sent_as


async def test_somebody_elses_thread_is_not_there(town: Town) -> None:
    charlie = await town.actor("charlie")
    with pytest.raises(NotFound):
        await town.wired.services.sending.send(charlie, await town.personal("alice"), "Hello", uuid4(), 0)
