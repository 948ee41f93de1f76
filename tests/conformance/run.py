"""Run a certification plan of the OpenID Foundation's conformance suite against a provider and print how each module ended.

Needs a running suite and a running provider; see README.md beside this file.
Exit code: 0 if nothing failed, 1 if a module failed (with --strict also on a warning or a skip), 2 if the run could not take place.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import os
import shlex
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

EVENT_SECONDS = 6
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # started by its path, Python looks only beside this file

from tests.conformance import plan_file, suite_api  # noqa: E402


def main(arguments: list[str] | None = None) -> int:
    """Run the plan that the arguments name; returns the exit code."""
    options = _parser().parse_args(arguments)
    runs = plan_file.every() if options.plan == "all" else [(options.plan, {})]
    totals: list[tuple[str, Counter[str]]] = []
    for name, variant in runs:
        try:
            results = _run(options, name, variant | dict(options.variant))
        except (plan_file.PlanError, suite_api.SuiteError) as error:
            print(f"conformance: {error}", file=sys.stderr)
            if len(runs) == 1:
                return 2
            results = []  # a run of none of its modules counts as failed
        total = Counter(result.outcome for result in results)
        print("\n" + "  ".join(f"{outcome} {total[outcome]}" for outcome in suite_api.OUTCOMES), flush=True)
        totals.append((", ".join((name, *variant.values())), total))
    if len(runs) > 1:
        _show_table(totals)
    judged = ("failed", "warning", "skipped") if options.strict else ("failed",)
    return 1 if any(total[outcome] for _, total in totals for outcome in judged) or not all(total for _, total in totals) else 0


def _show_table(totals: list[tuple[str, Counter[str]]]) -> None:
    """Print one line for each run, in Markdown."""
    print(f"\n| plan | {' | '.join(suite_api.OUTCOMES)} |\n| --- |{' --- |' * len(suite_api.OUTCOMES)}")
    for name, total in totals:
        print(f"| {name} | {' | '.join(str(total[outcome]) for outcome in suite_api.OUTCOMES)} |")


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise argparse.ArgumentTypeError("NAME=VALUE is wanted")
    return name, value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    env = os.environ.get
    parser.add_argument("--suite", required=True, metavar="URL", help="base URL of the suite, e.g. https://suite.test:8443")
    parser.add_argument("--plan", default="basic", help=f"the suite's name or one of: all, {', '.join(plan_file.names())} (default: basic)")
    parser.add_argument(
        "--variant",
        type=_pair,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="replaces a member of the plan's variant (repeatable)",
    )
    parser.add_argument(
        "--issuer",
        default=env("CONFORMANCE_ISSUER") or "https://op.test:9443",
        metavar="URL",
        help="issuer under test (or CONFORMANCE_ISSUER; default: %(default)s)",
    )
    parser.add_argument(
        "--clients",
        type=Path,
        default=ROOT / ".data" / "conformance.json",
        metavar="FILE",
        help="what `manage.py conformance prepare --json` printed (default: %(default)s)",
    )
    parser.add_argument("--alias", default="kairos-id", help="part of the suite's redirect URIs (default: %(default)s)")
    parser.add_argument("--login", default=env("CONFORMANCE_LOGIN", ""), help="who signs in (or CONFORMANCE_LOGIN; default: from FILE)")
    parser.add_argument(
        "--password", default=env("CONFORMANCE_PASSWORD", ""), help="their password (or CONFORMANCE_PASSWORD; default: from FILE)"
    )
    parser.add_argument("--only", action="append", metavar="MODULE", help="run only this module (may be repeated)")
    parser.add_argument(
        "--module-timeout", type=float, default=120, metavar="SECONDS", help="give up on a module after (default: %(default)s)"
    )
    parser.add_argument(
        "--rotate-keys",
        default=f"{sys.executable} {ROOT / 'manage.py'} keys rotate",
        metavar="COMMAND",
        help="rotates the provider's signing keys, for the module about that (default: manage.py keys rotate, with this environment)",
    )
    parser.add_argument(
        "--set-password",
        default=f"{sys.executable} {ROOT / 'manage.py'} user set-password",
        metavar="COMMAND",
        help="sets the password of the person named after it, read from standard input, for modules that wait for events",
    )
    parser.add_argument("--strict", action="store_true", help="a warning or a skip also makes the exit code 1")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the results as JSON")
    parser.add_argument("--export", type=Path, metavar="FILE", help="save the suite's own report (ZIP)")
    parser.add_argument("--ca-file", default="", metavar="FILE", help="verify the suite's certificate with this bundle")
    return parser


def _run(options: argparse.Namespace, name: str, variant: plan_file.Json) -> list[suite_api.ModuleResult]:
    """Create the plan, run its modules one after another and write what was asked for."""
    plan = _plan(options, name, variant)
    suite = suite_api.Suite(options.suite, token=os.environ.get("CONFORMANCE_TOKEN", ""), ca_file=options.ca_file)
    version = suite.version()
    created = suite.create_plan(plan.name, variant=plan.variant, config=plan.config)
    print(f"{plan.name} on suite {version}: {suite.base_url}/plan-detail.html?plan={created['id']}")
    print(", ".join(str(value) for value in plan.variant.values()))
    results = []
    with _visitor(options, plan) as visit:
        for module in _chosen(created["modules"], only=options.only):
            rotate = functools.partial(_rotate_keys, options.rotate_keys) if module["testModule"] == "oidcc-server-rotate-keys" else None
            with _events(options) if module["testModule"] in plan.needs_events else contextlib.nullcontext():
                result = suite.run_module(created["id"], module, seconds=options.module_timeout, before_start=rotate, visit=visit)
            _show(result)
            results.append(result)
    if options.report:
        _write_report(options.report, plan=plan.name, version=version, issuer=options.issuer, results=results)
    if options.export:
        options.export.write_bytes(suite.export(created["id"]))
    return results


@contextlib.contextmanager
def _visitor(options: argparse.Namespace, plan: plan_file.Plan) -> Iterator[Callable[[str], None] | None]:
    """Somebody with a real browser, for plans that need one."""
    if not plan.by_person:
        yield None
        return
    from tests.conformance.person import person

    known = _clients(options.clients).get("person", {})
    with person(login=options.login or known.get("login", ""), password=options.password or known.get("password", "")) as somebody:
        yield somebody.visit


@contextlib.contextmanager
def _events(options: argparse.Namespace) -> Iterator[None]:
    """Meanwhile the person's password is set anew every few seconds: for Shared Signals a changed credential and ended sessions."""
    person = _clients(options.clients).get("person", {})
    command = [*shlex.split(options.set_password), options.login or person.get("login", "")]
    password = options.password or person.get("password", "")
    over = threading.Event()

    def work() -> None:
        while not over.wait(EVENT_SECONDS):
            subprocess.run(command, input=password + "\n", capture_output=True, text=True, check=False)  # the operator's own command

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _rotate_keys(command: str) -> None:
    """Rotate the provider's keys, with the environment that this program was given."""
    done = subprocess.run(shlex.split(command), capture_output=True, text=True, check=False)  # the operator's own command
    if done.returncode != 0:
        raise plan_file.PlanError(f"{command} failed: {done.stderr.strip()[-300:]}")


def _chosen(modules: list[plan_file.Json], *, only: list[str] | None) -> list[plan_file.Json]:
    """Keep the modules named by `--only`, or all; raises `PlanError` if a name is not in the plan."""
    if unknown := set(only or ()) - {module["testModule"] for module in modules}:
        raise plan_file.PlanError(f"not in this plan and variant: {', '.join(sorted(unknown))}")
    return [module for module in modules if not only or module["testModule"] in only]


def _plan(options: argparse.Namespace, name: str, variant: plan_file.Json) -> plan_file.Plan:
    """Join the plan file with the clients file and the options."""
    known = _clients(options.clients)
    person = known.get("person", {})
    values = {
        "issuer": options.issuer.rstrip("/"),
        "suite": options.suite.rstrip("/"),
        "alias": options.alias,
        "login": options.login or person.get("login", ""),
        "password": options.password or person.get("password", ""),
    }
    return plan_file.load(name, clients=known, values=values, variant=variant)


def _clients(path: Path) -> plan_file.Json:
    """Read the clients file; a missing one is no error here, as some plans need none."""
    if not path.exists():
        return {}
    try:
        known: plan_file.Json = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise plan_file.PlanError(f"{path} is not JSON: {error}") from None
    return known


def _show(result: suite_api.ModuleResult) -> None:
    print(f"{result.outcome:8} {result.module}  ({result.seconds:.1f} s)", flush=True)
    for finding in result.findings:
        print(f"         {finding}", flush=True)


def _write_report(path: Path, *, plan: str, version: str, issuer: str, results: list[suite_api.ModuleResult]) -> None:
    report = {"plan": plan, "suite_version": version, "issuer": issuer, "modules": [asdict(result) for result in results]}
    path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
