"""tp-inbox: the one program that starts everything. Imports stand in the commands, so that each starts fast."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import runpy
import shlex
import signal
import sys
from collections.abc import Coroutine, Sequence
from dataclasses import asdict
from datetime import date
from typing import Any

from tp_inbox.settings import BadSettings, Settings, settings

WRONG_SETTINGS, FAILED = 2, 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code. Wrong settings are 2, as wrong arguments are."""
    options, more = _parser().parse_known_args(arguments)
    if more and options.run is not _bench:
        _parser().parse_args(arguments)  # says what is wrong with them, and ends
    options.arguments = more
    try:
        return options.run(options) or 0
    except BadSettings as wrong:
        return _refuse(wrong, WRONG_SETTINGS)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except Exception as error:
        if not _is_a_sentence(error):
            raise
        return _refuse(error, FAILED)


def _refuse(error: Exception, code: int) -> int:
    for line in str(error).splitlines():
        print(line, file=sys.stderr)
    return code


def _is_a_sentence(error: Exception) -> bool:
    """Whether the error's text was written for a person: the product's own refusals, and the demonstration's."""
    from tp_inbox.demo.trouble import Trouble
    from tp_inbox.domain.errors import Refusal

    return isinstance(error, Trouble | Refusal)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tp-inbox", description="The messaging inbox that a school district hosts itself."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    demo = commands.add_parser("demo", help="everything at once, with a simulator in place of Twilio")
    demo.add_argument("--stop-with-parent", action="store_true", help="end when the process that started it ends")
    demo.set_defaults(run=_demo)
    commands.add_parser("build", help="build the frontend, once for the sources at hand").set_defaults(run=_build)
    commands.add_parser("serve", help="the web app").set_defaults(run=_serve)
    commands.add_parser("worker", help="sending, receiving and every other job").set_defaults(run=_worker)
    commands.add_parser("simulator", help="a service that behaves as Twilio does").set_defaults(run=_simulator)
    migrate = commands.add_parser("migrate", help="bring the database to the newest shape")
    migrate.add_argument("--demo", action="store_true", help="only when it is empty or a demonstration")
    migrate.set_defaults(run=_migrate)
    seed = commands.add_parser("seed", help="fill an empty database")
    seed.add_argument("--demo", action="store_true", required=True, help="with the demonstration district")
    seed.set_defaults(run=_seed)
    _add_district(commands.add_parser("district", help="name the district"))
    _add_school(commands.add_parser("school", help="schools, before anybody can add them on the page"))
    _add_staff(commands.add_parser("staff", help="accounts of the people who work here"))
    _add_audit(commands.add_parser("audit", help="the audit log: prove it, seal it, take old names out of it"))
    reconcile = commands.add_parser("reconcile", help="compare with the carrier's ledger now, and mend what differs")
    reconcile.add_argument("--since", type=date.fromisoformat, metavar="DATE", help="YYYY-MM-DD; else two days ago")
    reconcile.set_defaults(run=_reconcile)
    commands.add_parser("doctor", help="look everything over, and say what to do").set_defaults(run=_doctor)
    bench = commands.add_parser("bench", help="measure, and write bench/report.json", add_help=False)
    bench.set_defaults(run=_bench)
    return parser


def _add_district(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name")
    parser.add_argument("--time-zone", required=True, help="for example: America/Chicago")
    parser.set_defaults(run=_district)


def _add_school(parser: argparse.ArgumentParser) -> None:
    add = parser.add_subparsers(dest="action", required=True, metavar="add").add_parser("add", help="make a school")
    add.add_argument("name")
    add.add_argument("--area-code", required=True, help="three digits: where its numbers are bought")
    add.add_argument("--time-zone", default="", help="for example: America/Denver; the district's unless given")
    add.add_argument("--office-phone", default="", help="where a family that calls is put through to")
    parser.set_defaults(run=_school)


def _add_staff(parser: argparse.ArgumentParser) -> None:
    names = "add | link | give | disable | enable | reset-password | reset-second-step"
    actions = parser.add_subparsers(dest="action", required=True, metavar=names)
    add = actions.add_parser("add", help="make an account; prints its password")
    add.add_argument("email")
    add.add_argument("--name", required=True)
    add.add_argument("--title", default="", help="for example: School counselor")
    add.add_argument("--role", required=True, help="for example: 'School Admin'")
    add.add_argument("--school", help="where the role counts; leave out for the whole district")
    for action, what in (
        ("link", "print a link with which the person sets a password, once"),
        ("disable", "sign the person out everywhere, and let nobody sign in"),
        ("enable", "let the person sign in again"),
        ("reset-password", "print a new password, and sign the person out everywhere"),
        ("reset-second-step", "for a lost phone: forget app and recovery codes, and sign the person out everywhere"),
    ):
        actions.add_parser(action, help=what).add_argument("email")
    give = actions.add_parser("give", help="give one more role")
    give.add_argument("email")
    give.add_argument("--role", required=True, help="for example: 'District Admin'")
    give.add_argument("--school", help="where the role counts; leave out for the whole district")
    parser.set_defaults(run=_staff)


def _add_audit(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(required=True, metavar="verify | seal | forget-names")
    verify = actions.add_parser("verify", help="compute every seal again; 1 when something is not as it was")
    verify.add_argument("--head", default="", metavar="DIGEST", help="a digest that an earlier run has printed")
    verify.add_argument("--json", action="store_true", help="for a program to read")
    verify.set_defaults(run=_verify_audit_log)
    seal = actions.add_parser("seal", help="seal what waits, without waiting for the worker")
    seal.set_defaults(run=_change_audit_log, before=None)
    forget = actions.add_parser("forget-names", help="remove the names from old entries; the seals still hold")
    forget.add_argument("--before", type=date.fromisoformat, required=True, metavar="DATE", help="YYYY-MM-DD")
    forget.set_defaults(run=_change_audit_log)


def _demo(options: argparse.Namespace) -> int:
    from tp_inbox.demo import supervisor

    return supervisor.run(settings(), options.stop_with_parent)


def _build(_: argparse.Namespace) -> None:
    from tp_inbox.demo.build import Frontend

    Frontend().build()


def _serve(_: argparse.Namespace) -> None:
    """Become granian: the process that was asked for is the one that serves, and signals reach it."""
    from tp_inbox.demo import ports
    from tp_inbox.demo.build import CHECKOUT, Frontend, serving_environment
    from tp_inbox.demo.trouble import Trouble

    chosen = settings()
    os.environ["DATABASE_URL"] = chosen.database
    ports.require_free(chosen.host, chosen.port, "PORT")
    build = Frontend().built()
    if build is None:
        raise Trouble("The frontend is not built for these sources yet; run: tp-inbox build")
    os.environ |= serving_environment(build, chosen.address) | {"DATA_DIR": str(chosen.data_dir.resolve())}
    os.chdir(CHECKOUT)  # where Reflex finds rxconfig.py
    server = ["granian", "--interface", "asgi", "--factory", "--host", chosen.host, "--port", str(chosen.port)]
    server += ["--workers", str(chosen.web_workers), "--no-access-log"]
    server += ["--log-config", str(CHECKOUT / "tp_inbox" / "granian_logs.json")]
    os.execv(sys.executable, [sys.executable, "-m", *server, "tp_inbox.tp_inbox:app"])  # noqa: S606 - no shell wanted


def _worker(_: argparse.Namespace) -> None:
    from tp_inbox import logs, wiring

    logs.configure(settings().log_level, settings().log_format)
    _until_told(wiring.run_worker(settings()))


def _until_told(work: Coroutine[Any, Any, None]) -> None:
    """Run until the work is done, or SIGTERM or SIGINT cancels it."""

    async def go() -> None:
        task = asyncio.ensure_future(work)
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        try:
            await task
        except asyncio.CancelledError:
            return

    asyncio.run(go())


def _simulator(_: argparse.Namespace) -> None:
    from tp_inbox.demo import ports
    from tp_inbox.simulator import serve
    from tp_inbox.simulator.config import SimulatorConfig

    chosen = settings()
    ports.require_free(chosen.host, chosen.simulator_port, "SIMULATOR_PORT")
    serve.run(
        SimulatorConfig(
            account_sid=chosen.twilio_account_sid,
            auth_token=chosen.twilio_auth_token.get_secret_value(),
            data_path=chosen.data_dir / "simulator",
            host=chosen.host,
            port=chosen.simulator_port,
            own_url=chosen.twilio_base_url,
        )
    )


def _migrate(options: argparse.Namespace) -> None:
    from tp_inbox import wiring

    if options.demo:
        asyncio.run(wiring.require_demonstration(settings()))
    wiring.migrate(_settings_beside_a_demonstration())


def _seed(_: argparse.Namespace) -> None:
    from tp_inbox import wiring
    from tp_inbox.demo.seed import seed

    async def fill(wired: wiring.Wired) -> None:
        await wiring.require_demonstration(wired.settings)
        try:
            await seed(wired.db, wired.gateway, wired.settings.twilio_base_url)
        finally:
            await wired.close()

    asyncio.run(fill(wiring.wire(_settings_beside_a_demonstration())))


def _district(options: argparse.Namespace) -> None:
    from tp_inbox import wiring

    chosen = _settings_beside_a_demonstration()
    print(asyncio.run(wiring.run_district_command(chosen, options.name, options.time_zone)))


def _school(options: argparse.Namespace) -> None:
    from tp_inbox import wiring

    chosen = _settings_beside_a_demonstration()
    about = (options.name, options.area_code, options.time_zone, options.office_phone)
    print(asyncio.run(wiring.run_school_command(chosen, *about)))


def _staff(options: argparse.Namespace) -> None:
    from tp_inbox import wiring

    about = ("email", "name", "title", "role", "school")
    told = {name: getattr(options, name) for name in about if hasattr(options, name)}
    print(asyncio.run(wiring.run_staff_command(_settings_beside_a_demonstration(), options.action, **told)))


def _reconcile(options: argparse.Namespace) -> None:
    from tp_inbox import wiring

    print(asyncio.run(wiring.run_reconciliation(_settings_beside_a_demonstration(), options.since)))


def _verify_audit_log(options: argparse.Namespace) -> int:
    from tp_inbox import wiring

    report = asyncio.run(wiring.verify_audit_log(_settings_beside_a_demonstration(), options.head))
    print(json.dumps(asdict(report) | {"holds": report.holds}, indent=2) if options.json else report)
    return 0 if report.holds else FAILED


def _change_audit_log(options: argparse.Namespace) -> None:
    from tp_inbox import wiring

    print(asyncio.run(wiring.run_audit_command(_settings_beside_a_demonstration(), options.before)))


def _doctor(_: argparse.Namespace) -> int:
    from tp_inbox import logs, wiring
    from tp_inbox.services.doctor import Verdict

    async def tell() -> int:
        worst = 0
        async for step, finding in wiring.examine(chosen):
            print(f"{finding.verdict:<8} {step}: {finding.sentence}")
            if finding.advice:
                print(f"{'':<8} → {finding.advice}")
            worst = FAILED if finding.verdict is Verdict.PROBLEM else worst
        return worst

    chosen = _settings_beside_a_demonstration()
    logs.configure("critical")  # what goes wrong is a finding
    return asyncio.run(tell())


def _bench(options: argparse.Namespace) -> None:
    from tp_inbox.demo.build import CHECKOUT

    sys.path.insert(0, str(CHECKOUT))
    sys.argv = ["bench", *options.arguments]
    runpy.run_module("bench", run_name="__main__")


def _settings_beside_a_demonstration() -> Settings:
    """The settings; without a DATABASE_URL, those of a demonstration that runs on the same data folder."""
    from tp_inbox.demo.supervisor import running_note

    note = running_note(settings().data_dir)
    if not settings().database_url and note.exists():
        os.environ |= dict(line.split("=", 1) for line in shlex.split(note.read_text()))
        settings.cache_clear()
    return settings()


if __name__ == "__main__":
    sys.exit(main())
