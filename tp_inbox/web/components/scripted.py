"""The few components of our own that need code in the browser; it stands in ``assets/components``."""

from __future__ import annotations

import reflex as rx
from reflex.event import no_args_event_spec
from reflex.vars import VarData

from tp_inbox.services.role_views import PermissionGroup

_ADDRESS = VarData(
    imports={"$/public/components/address.jsx": ["useAddress"]}, hooks={"const address = useAddress();": None}
)


class Address:
    """What the page's address names. It follows a click at once, before the server has answered."""

    box = rx.Var("address.box", _var_data=_ADDRESS).to(str)
    thread = rx.Var("address.thread", _var_data=_ADDRESS).to(int)
    fresh = rx.Var("address.fresh", _var_data=_ADDRESS).to(bool)
    """The panel for a new message."""
    opened = rx.Var("address.opened", _var_data=_ADDRESS).to(bool)
    """A thread or the panel for a new message."""
    overseen = rx.Var("address.overseen", _var_data=_ADDRESS).to(int)
    """A conversation in oversight."""


def _draft_args(thread: rx.Var[int], key: rx.Var[str], written: rx.Var[str]) -> list[rx.Var]:
    return [thread, key, written]


def _send_args(thread: rx.Var[int], key: rx.Var[str], written: rx.Var[str], seen: rx.Var[int]) -> list[rx.Var]:
    return [thread, key, written, seen]


class Composer(rx.Component):
    """The text box. It keeps what is typed, and hangs a bubble in the timeline until the server shows its own."""

    library = "$/public/components/composer.jsx"
    tag = "Composer"

    thread: rx.Var[int]
    draft_key: rx.Var[str]
    initial: rx.Var[str]
    sent_keys: rx.Var[list[str]]
    seen: rx.Var[int]
    named: rx.Var[bool]
    refused: rx.Var[str]
    refused_key: rx.Var[str]
    refusals: rx.Var[int]
    offline: rx.Var[bool]
    label: rx.Var[str]

    on_draft: rx.EventHandler[_draft_args]
    on_send: rx.EventHandler[_send_args]


class Timeline(rx.Component):
    """The scrolling part of a thread.

    ``on_seen`` comes when its end is on a visible screen, ``on_newest`` when one wants to go to an end that is
    not in the window (``newer``). Without ``on_seen`` nobody learns what was seen.
    """

    library = "$/public/components/timeline.jsx"
    tag = "Timeline"

    thread: rx.Var[int]
    newest: rx.Var[int]
    oldest: rx.Var[int]
    newer: rx.Var[bool]

    on_newest: rx.EventHandler[no_args_event_spec]
    on_seen: rx.EventHandler[no_args_event_spec]


class Bubble(rx.Component):
    """A bubble's words, its time, and a button that shows what was added to the words when they were sent."""

    library = "$/public/components/bubble.jsx"
    tag = "Bubble"

    text: rx.Var[str]
    sent_as: rx.Var[str]
    at: rx.Var[str]


class Keys(rx.Component):
    """What Escape does, and where the focus goes when the family panel opens or closes."""

    library = "$/public/components/keys.jsx"
    tag = "Keys"

    panel: rx.Var[bool]

    on_close: rx.EventHandler[no_args_event_spec]


class Moment(rx.Component):
    """A time as its reader's clock says it; ``form`` is "list", "day", "clock", "minute" of a day, "full", or
    "since" for a day that a sentence goes on with.
    """

    library = "$/public/components/moments.jsx"
    tag = "Moment"

    at: rx.Var[str]
    form: rx.Var[str]


class ZoneClock(rx.Component):
    """The present time in a time zone, kept true; nothing for a zone that the browser does not know."""

    library = "$/public/components/moments.jsx"
    tag = "ZoneClock"

    zone: rx.Var[str]


class DayLine(rx.Component):
    """A line above a bubble whose day is not that of the bubble before it."""

    library = "$/public/components/moments.jsx"
    tag = "DayLine"

    at: rx.Var[str]
    before: rx.Var[str]


class PageTitle(rx.Component):
    library = "$/public/components/title.jsx"
    tag = "PageTitle"

    unread: rx.Var[int]
    name: rx.Var[str]


class SignInProblem(rx.Component):
    """Why the last try to sign in failed; its sentence comes from a fixed list, chosen by the address."""

    library = "$/public/components/sign_in.jsx"
    tag = "SignInProblem"


class SignInProviders(rx.Component):
    """A button for each provider through which staff may sign in; nothing where none is set up."""

    library = "$/public/components/sso.jsx"
    tag = "SignInProviders"


class CodeStep(rx.Component):
    """The form of the second step, at the end of signing in."""

    library = "$/public/components/two_step.jsx"
    tag = "CodeStep"


class SetUpStep(rx.Component):
    """Setting up the second step at the end of a sign-in that a role keeps waiting for it."""

    library = "$/public/components/two_step.jsx"
    tag = "SetUpStep"


class OwnSecondStep(rx.Component):
    """The panel of one's own second step. What it shows once never passes a state of the server."""

    library = "$/public/components/two_step.jsx"
    tag = "OwnSecondStep"


class Dialog(rx.Component):
    """A modal dialog: Escape, a press beside it, and its own buttons call ``on_close``."""

    library = "$/public/components/dialog.jsx"
    tag = "Dialog"

    open: rx.Var[bool]
    title: rx.Var[str]

    on_close: rx.EventHandler[no_args_event_spec]


def _text_args(text: rx.Var[str]) -> list[rx.Var]:
    return [text]


class TableFile(rx.Component):
    """A button that reads a text file, a CSV for example, in the browser."""

    library = "$/public/components/table_file.jsx"
    tag = "TableFile"

    label: rx.Var[str]
    accept: rx.Var[str]

    on_read: rx.EventHandler[_text_args]


class Copied(rx.Component):
    """Words to be handed on, a link for example, with a button that copies them."""

    library = "$/public/components/copied.jsx"
    tag = "Copied"

    words: rx.Var[str]
    label: rx.Var[str]


class Welcome(rx.Component):
    """Choosing a password with the link that the address holds; the lengths are those of a password."""

    library = "$/public/components/welcome.jsx"
    tag = "Welcome"

    shortest: rx.Var[int]
    longest: rx.Var[int]


class SaveButton(rx.Component):
    """Submits the form of a role, and asks whoever leaves while it differs from ``name`` and ``permissions``.

    ``idle``: it can be pressed while nothing differs, too.
    """

    library = "$/public/components/save_button.jsx"
    tag = "SaveButton"

    label: rx.Var[str]
    name: rx.Var[str]
    permissions: rx.Var[list[str]]
    idle: rx.Var[bool]


class PermissionTree(rx.Component):
    """Permissions in groups, each with a box of its own. Give it another ``key`` to begin again with ``chosen``.

    What is ticked stands in the form under ``name``, with commas between.
    """

    library = "$/public/components/permission_tree.jsx"
    tag = "PermissionTree"

    groups: rx.Var[list[PermissionGroup]]
    chosen: rx.Var[list[str]]
    name: rx.Var[str]
    locked: rx.Var[bool]

    on_tick: rx.EventHandler[_text_args]
