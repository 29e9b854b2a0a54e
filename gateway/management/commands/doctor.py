"""`manage.py doctor`: is everything there?"""

import json
import sys
from argparse import ArgumentParser
from collections import Counter
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand

from gateway.doctor import Finding, all_examinations, examine


class Command(BaseCommand):
    help = (
        "Looks at everything that the gateway needs and says what to mend. Changes nothing. Exit 1 where a line fails."
    )
    # They are among what it tells; a line, and no end of the command.
    requires_system_checks: list[str] = []  # noqa: RUF012  # as Django's own declares it

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="a list of {name, state, told, mend}")

    def handle(self, *args: Any, **options: Any) -> None:
        findings = examine(all_examinations())
        if options["json"]:
            self.stdout.write(json.dumps([asdict(finding) for finding in findings], indent=2))
        else:
            self.show(findings)
        if any(finding.state == "fail" for finding in findings):
            sys.exit(1)

    def show(self, findings: list[Finding]) -> None:
        paint = {"ok": self.style.SUCCESS, "warn": self.style.WARNING, "fail": self.style.ERROR}
        width = max(len(finding.name) for finding in findings)
        for finding in findings:
            state = paint[finding.state](f"{finding.state:<4}")
            self.stdout.write(f"{state}  {finding.name:<{width}}  {finding.told}")
            if finding.mend:
                self.stdout.write(f"{'':<{width + 6}}  → {finding.mend}")
        states = Counter(finding.state for finding in findings)
        self.stdout.write(f"{states['ok']} ok, {states['warn']} to look at, {states['fail']} to mend")
