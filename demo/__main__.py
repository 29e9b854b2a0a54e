"""`make demo`: fills `data/demo/` anew and starts the gateway on it, with scripted visitors on web and Telegram."""

import os
import shutil
import socket
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "data" / "demo"
OPERATOR = "demo"
TOKEN = "7000000001:demo-demo-demo-demo-demo-demo-demo-demo"  # noqa: S105  # of the Telegram in telegram.py
FOREIGN = ("DATABASE_URL", "CHANNELS_URL", "TELEGRAM_BOT_TOKEN_FILE", "TELEGRAM_BOTS_FILE", "TELEGRAM_WEBHOOK_URL")
"""What may point at somebody's real data or real bots."""


def main() -> None:
    telegram_port = free_port()
    choose_environment(telegram_port)
    shutil.rmtree(FOLDER, ignore_errors=True)
    import django

    django.setup()
    from django.core.management import call_command

    from demo import history, telegram, visitors

    FOLDER.mkdir(mode=0o700, parents=True, exist_ok=True)
    call_command("migrate", verbosity=0)
    print("Writing two months of conversations…", flush=True)
    password = history.write(OPERATOR)
    outside = telegram.start(telegram_port)
    visitors.start(os.environ["PORT"], outside)
    print_signs(password)
    call_command("serve")


def choose_environment(telegram_port: int) -> None:
    for name in FOREIGN:
        os.environ.pop(name, None)
    chosen = {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "DATA_DIR": str(FOLDER),
        "TELEGRAM_API_URL": f"http://127.0.0.1:{telegram_port}",
        "TELEGRAM_BOT_TOKEN": TOKEN,
        "TELEGRAM_BOTS": f"desk={TOKEN.replace('01:', '02:')}",
        "RATE_LIMITS": "off",
        "LOG_LEVEL": "WARNING",
        # Somebody who looks sees conversations end, too.
        "CONVERSATION_TIMEOUT": "120",
    }
    os.environ.update(chosen)
    os.environ.setdefault("PORT", "8000")
    sys.path.insert(0, str(ROOT))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def print_signs(password: str) -> None:
    here = f"http://127.0.0.1:{os.environ['PORT']}"
    print(
        f"\n  The console:    {here}/console/\n"
        f"  The dashboard:  {here}/console/dashboard/\n"
        f"  A visitor:      {here}/?bot=desk\n"
        f"  Sign in as:     {OPERATOR}\n"
        f"  Password:       {password}\n\n"
        "Everything is made up and lies in data/demo/, which the next `make demo` writes anew.\n",
        flush=True,
    )


if __name__ == "__main__":
    main()
