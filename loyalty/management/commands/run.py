import signal
import socket
import time
from typing import Any, NoReturn

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, connections

from loyalty import children, data_folder, durability, embedded, upgrades

PORT_SECONDS = 3
WATCH_SECONDS = 0.3
STOP_SECONDS = 50


class Command(BaseCommand):
    help = (
        "Serves the API, the explorer and the admin, and runs the jobs;"
        " without DATABASE_URL also its own Postgres and a demo programme."
    )

    def handle(self, **_: Any) -> None:
        self._refuse_taken_port()
        if settings.EMBEDDED:
            with embedded.Server(settings.DATA_DIR).running() as server:
                call_command("migrate", verbosity=0)
                call_command("demo", verbosity=0)
                self._serve(server)
            return
        try:
            if upgrades.is_behind():
                call_command("migrate", stdout=self.stdout)
        except OperationalError as error:
            raise CommandError(f"the database of DATABASE_URL cannot be used: {error}") from error
        self._serve(None)

    def _refuse_taken_port(self) -> None:
        # The workers of a server that was killed take a moment to notice.
        deadline = time.monotonic() + PORT_SECONDS
        while error := _bind_error():
            if time.monotonic() > deadline:
                reason = f"{settings.HOST}:{settings.PORT} cannot be used ({error.strerror})"
                raise CommandError(f"{reason}: stop what listens there, or choose another port: PORT=8001") from error
            time.sleep(0.1)

    def _serve(self, server: embedded.Server | None) -> None:
        for problem in durability.problems():
            self.stderr.write(self.style.ERROR(f"ACKNOWLEDGED POSTINGS COULD BE LOST: {problem}"))
        connections.close_all()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, _interrupt)
        # Ctrl-C reaches them through here: first them, then Postgres.
        web = children.Child(["-m", "config.server"])
        self.worker = _start_worker()
        try:
            self._wait_until_it_answers(web)
            self._greet()
            self.stdout.flush()  # into a pipe or a file, too
            self._watch(web, server)
        except KeyboardInterrupt:
            self.stdout.write("\nStopping …")
            self.stdout.flush()
        finally:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            for child in (web, self.worker):
                child.terminate()
            status = web.reap(within=STOP_SECONDS)
            self.worker.reap(within=STOP_SECONDS)
        if status not in (0, -signal.SIGTERM):
            raise CommandError(f"the web server ended by itself (status {status})")

    def _wait_until_it_answers(self, web: children.Child) -> None:
        while web.is_running:
            try:
                socket.create_connection((settings.HOST, settings.PORT), timeout=1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return

    def _watch(self, web: children.Child, server: embedded.Server | None) -> None:
        while web.is_running:
            time.sleep(WATCH_SECONDS)
            if not self.worker.is_running:
                self.stderr.write(self.style.WARNING("The worker had died and was started again."))
                self.worker.reap(within=0)
                self.worker = _start_worker()
            try:
                if server is not None and server.watch():
                    self.stderr.write(self.style.WARNING("The embedded Postgres had died and was started again."))
            except embedded.EmbeddedError as error:
                self.stderr.write(self.style.ERROR(str(error)))

    def _greet(self) -> None:
        url = f"http://{settings.HOST}:{settings.PORT}"
        self.stdout.write(f"Serving on {url}\n  Explorer   {url}/api/docs   (or {url}/api/redoc)\n")
        if not settings.EMBEDDED:
            self.stdout.write(f"  Admin      {url}/admin/\n  Database   from DATABASE_URL: no demo programme\n")
            return
        demo = data_folder.read_demo(settings.DATA_DIR)
        body = f'{{"card_id": "{demo["LOYALTY_CARD"]}", "points": 100, "reason": "Hello"}}'
        self.stdout.write(
            f"  Admin      {url}/admin/   {demo['LOYALTY_ADMIN_USER']} / {demo['LOYALTY_ADMIN_PASSWORD']}\n"
            f"  Database   {settings.DATA_DIR}   (credentials in demo.env)\n"
            f"  E-mails    {self._mail()}\n\n"
            f"Try it:\n"
            f"  curl -X POST {url}/api/points/award -H 'Authorization: Bearer {demo['LOYALTY_API_SECRET']}' \\\n"
            f"    -H 'Content-Type: application/json' -d '{body}'\n\nCtrl-C stops it.\n"
        )

    def _mail(self) -> str:
        if settings.EMAIL_BACKEND.endswith("filebased.EmailBackend"):
            return f"{getattr(settings, 'EMAIL_FILE_PATH', '')}   (files, sent to nobody)"
        return "as EMAIL_URL says"


def _bind_error() -> OSError | None:
    # The server's workers share the port among themselves; so a second service would be let in to share it, too.
    with socket.socket(socket.AF_INET6 if ":" in settings.HOST else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.HOST, settings.PORT))
        except OSError as error:
            return error
    return None


def _interrupt(*_: Any) -> NoReturn:
    raise KeyboardInterrupt


def _start_worker() -> children.Child:
    return children.Child(["manage.py", "worker"])
