"""District groups: their list, one of them, and lists of them from a file."""

from __future__ import annotations

import reflex as rx

from tp_inbox.services.group_files import LineReport, Mode, PlannedGroup
from tp_inbox.services.groups import GroupLine, HolderView, SchoolOption
from tp_inbox.services.regrouping import Effect, Preview
from tp_inbox.web.components.basics import avatar, empty, icon, link
from tp_inbox.web.components.pages import (
    cell,
    dialog_buttons,
    field,
    page_head,
    panel,
    person_line,
    refused,
    row,
    search_box,
    table,
    tag,
)
from tp_inbox.web.components.scripted import Dialog, TableFile
from tp_inbox.web.states.groups_page import TO_GROUPS, GroupFileState, GroupState
from tp_inbox.web.states.schools_page import SchoolsPage

Group, File, Report = GroupState.group, GroupFileState, GroupFileState.report
ABOUT = "A role that is held at a group is held at each of its schools. For people who work at several sites."
SAMPLE = "group,school\nWest side,Lincoln Middle School\nWest side,Roosevelt High School"
SHORT_LIST = 8
"""So many schools are shown without a box to search them."""
MODES = (
    (Mode.APPEND, "Add to the groups", "Schools that the list does not name stay where they are."),
    (Mode.REPLACE, "Replace the groups", "Each group in the list then has just the schools that the list names."),
)


# The list ------------------------------------------------------------------------------------------------------


def groups() -> rx.Component:
    none_yet = empty("layers", "No groups yet", "Put schools together that the same people work at.", _add_group())
    return rx.fragment(
        page_head(
            "Groups",
            link(icon("file-up", 18), "Import", to=f"{TO_GROUPS}/import", class_name="button"),
            rx.cond(SchoolsPage.groups.length() > 0, _download()),
            _add_group(),
            about=ABOUT,
        ),
        rx.cond(SchoolsPage.groups.length() > 0, _table(), none_yet),
    )


def _add_group() -> rx.Component:
    return link(icon("plus", 18), "New group", to=f"{TO_GROUPS}/new", class_name="button primary")


def _download() -> rx.Component:
    return rx.el.button(
        icon("download", 18), "Export", type="button", class_name="button", on_click=SchoolsPage.download
    )


def _table() -> rx.Component:
    return table("Groups", ["Name", "Schools", "People", "Roles held there"], rx.foreach(SchoolsPage.groups, _line))


def _line(group: rx.Var[GroupLine]) -> rx.Component:
    return row(
        cell("Name", link(group.name, to=f"{TO_GROUPS}/" + group.id.to_string(), class_name="text-link")),
        cell("Schools", rx.cond(group.schools.length() > 0, _tags(group.schools), tag("No schools", "warn"))),
        cell("People", group.people.to_string()),
        cell("Roles held there", rx.cond(group.roles.length() > 0, _tags(group.roles), _none())),
        key=group.id,
    )


def _tags(names: rx.Var[list[str]]) -> rx.Component:
    return rx.el.span(rx.foreach(names, lambda name: tag(name, "quiet")), class_name="tags")


def _none() -> rx.Component:
    return rx.el.span("None", class_name="quiet-text")


# One group -----------------------------------------------------------------------------------------------------


def group() -> rx.Component:
    fresh = Group.id == 0
    return rx.fragment(
        page_head(rx.cond(fresh, "New group", Group.name), about=ABOUT, back=("Groups", TO_GROUPS)),
        rx.cond(
            fresh,
            _form("Create group"),
            rx.el.div(
                rx.el.div(_form("Save")),
                rx.el.div(_holders(), _deleting()),
                class_name="columns",
            ),
        ),
        _before_saving(),
        _before_deleting(),
    )


def _form(label: str) -> rx.Component:
    return panel(
        "Name and schools",
        rx.el.form(
            field("Name", rx.el.input(name="name", default_value=Group.name, max_length=80, required=True)),
            _schools(),
            refused(GroupState.problem),
            rx.el.div(rx.el.button(label, type="submit", class_name="button primary"), class_name="buttons"),
            on_submit=GroupState.save,
            class_name="form",
            key=GroupState.version,
        ),
    )


def _schools() -> rx.Component:
    count = GroupState.chosen.length().to_string() + " of " + Group.schools.length().to_string() + " schools"
    return rx.el.fieldset(
        rx.el.legend("Schools"),
        rx.cond(
            Group.schools.length() > SHORT_LIST,
            search_box("Search schools", GroupState.words, GroupState.search.debounce(100)),
        ),
        rx.el.div(
            rx.el.span(count, role="status", class_name="quiet-text"),
            rx.el.span(
                _small("Choose all", GroupState.choose_shown), _small("Choose none", GroupState.choose_none_shown)
            ),
            class_name="checklist-head",
        ),
        rx.el.div(
            rx.foreach(Group.schools, lambda one: rx.cond(one.name.lower().contains(GroupState.words), _school(one))),
            class_name="checklist",
        ),
    )


def _small(label: str, on_click: rx.EventHandler) -> rx.Component:
    return rx.el.button(label, type="button", class_name="button quiet small", on_click=on_click)


def _school(school: rx.Var[SchoolOption]) -> rx.Component:
    return rx.el.label(
        rx.el.input(
            type="checkbox",
            checked=GroupState.chosen.contains(school.id),
            on_change=lambda _: GroupState.toggle(school.id),
        ),
        rx.el.span(school.name),
        class_name="choice",
        key=school.id,
    )


def _holders() -> rx.Component:
    return panel(
        "Who holds a role here",
        rx.cond(
            Group.holders.length() > 0,
            rx.el.ul(rx.foreach(Group.holders, _holder), class_name="lines"),
            rx.el.p(
                "Nobody yet. A role is given at a group on the page of a person or of the role.",
                class_name="quiet-text",
            ),
        ),
    )


def _holder(person: rx.Var[HolderView]) -> rx.Component:
    more = rx.cond(person.active, rx.fragment(), tag("Has left", "quiet"))
    return person_line(person, person.role, more, key=person.key)


def _deleting() -> rx.Component:
    return panel(
        "Deleting",
        rx.cond(
            Group.holders.length() > 0,
            rx.el.p("A group can be deleted once nobody holds a role there.", class_name="quiet-text"),
            rx.el.div(
                rx.el.button(
                    icon("trash-2", 18),
                    "Delete this group",
                    type="button",
                    class_name="button",
                    on_click=GroupState.ask_to_delete,
                ),
                class_name="buttons",
            ),
        ),
    )


def _before_deleting() -> rx.Component:
    return Dialog.create(
        rx.el.p("Its schools stay as they are. Nobody holds a role at this group, so nobody’s permissions change."),
        dialog_buttons(
            _button("Keep it", "button", GroupState.cancel), _button("Delete", "button danger", GroupState.delete)
        ),
        open=GroupState.asking == "delete",
        title="Delete this group?",
        on_close=GroupState.cancel,
    )


def _before_saving() -> rx.Component:
    said = GroupState.preview
    may = said.refusal == ""
    return Dialog.create(
        what_changes(said),
        dialog_buttons(
            _button(rx.cond(may, "Cancel", "Close"), "button", GroupState.cancel),
            rx.cond(may, _button("Save", "button primary", GroupState.save_now)),
        ),
        open=GroupState.asking == "save",
        title="What changes for whom",
        on_close=GroupState.cancel,
    )


def _button(label: str | rx.Var[str], class_name: str, on_click: rx.EventHandler) -> rx.Component:
    return rx.el.button(label, type="button", class_name=class_name, on_click=on_click)


def what_changes(said: rx.Var[Preview]) -> rx.Component:
    nobody = rx.el.p("Nobody gains or loses anything: their other roles allow the same.", class_name="quiet-text")
    return rx.el.div(
        rx.cond(said.refusal != "", rx.el.p(icon("lock", 18), said.refusal, class_name="note bad", role="alert")),
        rx.cond(said.warning != "", rx.el.p(icon("triangle-alert", 18), said.warning, class_name="note warn")),
        rx.cond(said.added.length() > 0, _moved("Added", said.added)),
        rx.cond(said.removed.length() > 0, _moved("Taken out", said.removed)),
        rx.cond(said.changed > 0, rx.el.p(_how_many(said), class_name="quiet-text"), nobody),
        rx.el.ul(rx.foreach(said.effects, _effect), class_name="effects"),
        rx.cond(said.more > 0, rx.el.p("And " + said.more.to_string() + " more people.", class_name="quiet-text")),
        class_name="stack",
    )


def _how_many(said: rx.Var[Preview]) -> rx.Var[str]:
    one = "One person gains or loses something."
    return rx.cond(said.changed == 1, one, said.changed.to_string() + " people gain or lose something.")


def _moved(label: str, names: rx.Var[list[str]]) -> rx.Component:
    return rx.el.div(rx.el.h3(label), _tags(names), class_name="moved")


def _effect(person: rx.Var[Effect]) -> rx.Component:
    others = rx.cond(person.others == 1, "one other role", person.others.to_string() + " other roles")
    unchanged = (person.gains.length() == 0) & (person.loses.length() == 0)
    return rx.el.li(
        avatar(person.initials, person.hue),
        rx.el.div(
            rx.el.strong(person.name),
            rx.foreach(person.gains, lambda words: _shift("plus", "Gains", words)),
            rx.foreach(person.loses, lambda words: _shift("minus", "Loses", words)),
            rx.cond(unchanged, rx.el.p("Nothing changes.", class_name="quiet-text")),
            rx.cond(
                person.nothing_left,
                rx.el.p("Keeps the role, but can then do nothing anywhere.", class_name="nothing-left"),
                rx.cond(person.others > 0, rx.el.p("Also holds ", others, " elsewhere.", class_name="quiet-text")),
            ),
        ),
        class_name="effect",
        key=person.id,
    )


def _shift(icon_name: str, label: str, words: rx.Var[str]) -> rx.Component:
    return rx.el.p(icon(icon_name, 14), rx.el.span(rx.el.strong(label), " at ", words), class_name=f"shift {icon_name}")


# Lists from a file ---------------------------------------------------------------------------------------------


def group_file() -> rx.Component:
    return rx.el.div(
        page_head(
            "Import groups",
            _download(),
            about="Nothing changes before you have seen, line by line, what the list would do.",
            back=("Groups", TO_GROUPS),
        ),
        _the_list(),
        rx.cond(File.checked, _result()),
        class_name="stack bulk",
    )


def _the_list() -> rx.Component:
    return panel(
        "The list",
        rx.el.div(
            rx.el.fieldset(
                rx.el.legend("What the list does", class_name="visually-hidden"),
                *[_mode(mode, label, about) for mode, label, about in MODES],
                rx.el.p("Groups that the list does not name stay as they are.", class_name="quiet-text"),
            ),
            field(
                "Groups and schools",
                rx.el.textarea(
                    rows="7",
                    placeholder=SAMPLE,
                    default_value=File.from_file,
                    on_blur=lambda text: File.write(text.to(str)),
                    spell_check=False,
                    class_name="list-box",
                    key=File.files,
                ),
                "The first line names the columns, group and school. Each other line puts one school into one group; "
                "a group without a school is made empty.",
                File.problem,
            ),
            rx.el.div(
                rx.el.button("Check the list", type="button", class_name="button primary", on_click=File.check),
                TableFile.create(
                    label="Choose a CSV file",
                    accept=".csv,.tsv,.txt,text/csv",
                    on_read=lambda text: File.read_file(text.to(str)),
                ),
                class_name="buttons",
            ),
            class_name="stack",
        ),
    )


def _mode(mode: Mode, label: str, about: str) -> rx.Component:
    return rx.el.label(
        rx.el.input(
            type="radio",
            name="group-mode",
            value=mode.value,
            checked=File.mode == mode.value,
            on_change=lambda _: File.choose_mode(mode.value),
        ),
        rx.el.strong(label),
        rx.el.span(about, class_name="help"),
        class_name="choice",
    )


def _result() -> rx.Component:
    changes = Report.groups.length() > 0
    ready = changes & (Report.problems == 0) & (Report.preview.refusal == "")
    return panel(
        "What the list would do",
        rx.el.div(
            rx.el.div(_counts(), class_name="tags", role="status"),
            rx.cond(changes, rx.el.ul(rx.foreach(Report.groups, _planned), class_name="lines")),
            rx.cond(Report.preview.holders > 0, what_changes(Report.preview)),
            rx.cond(Report.lines.length() > 0, _lines()),
            class_name="stack",
        ),
        actions=[rx.cond(ready, _button("Apply", "button primary", File.apply))],
    )


def _counts() -> rx.Component:
    return rx.fragment(
        tag(Report.read.to_string() + rx.cond(Report.read == 1, " line", " lines"), "quiet"),
        rx.cond(Report.groups.length() == 0, tag("Changes nothing", "quiet"), _changing()),
        rx.cond(Report.problems > 0, tag(_problems(), "bad")),
    )


def _changing() -> rx.Component:
    """How many groups are new, and how many others change."""
    fresh, changed = Report.fresh, Report.groups.length() - Report.fresh
    made = rx.cond(fresh == 1, "One new group", fresh.to_string() + " new groups")
    kept = rx.cond(changed == 1, "Changes one group", "Changes " + changed.to_string() + " groups")
    return rx.fragment(rx.cond(fresh > 0, tag(made)), rx.cond(changed > 0, tag(kept)))


def _problems() -> rx.Var[str]:
    said = rx.cond(Report.problems == 1, "One line", Report.problems.to_string() + " lines")
    return said.to(str) + " to correct first"


def _planned(planned: rx.Var[PlannedGroup]) -> rx.Component:
    return rx.el.li(
        rx.el.span(
            rx.el.strong(planned.name),
            rx.cond(planned.added.length() > 0, rx.el.span("Adds " + planned.added.join(", "))),
            rx.cond(planned.removed.length() > 0, rx.el.span("Takes out " + planned.removed.join(", "))),
            class_name="two-lines",
        ),
        rx.cond(planned.fresh, tag("New")),
        key=planned.name,
    )


def _lines() -> rx.Component:
    return rx.fragment(
        table("Lines", ["Line", "Group", "School", "What it does"], rx.foreach(Report.lines, _report_line)),
        rx.cond(Report.more > 0, rx.el.p("And " + Report.more.to_string() + " more lines.", class_name="quiet-text")),
    )


def _report_line(line: rx.Var[LineReport]) -> rx.Component:
    kind = rx.match(line.kind, ("bad", tag(line.said, "bad")), ("same", tag(line.said, "quiet")), tag(line.said))
    return row(
        cell("Line", line.number.to_string()),
        cell("Group", line.group),
        cell("School", line.school),
        cell("What it does", kind),
        key=line.number,
    )
