import secrets
import signal
import threading
import time
from typing import Any, NoReturn

from django.conf import settings
from django.core.management.base import BaseCommand

from config.worker import SCHEDULER
from loyalty import children

WATCH_SECONDS = 0.3
RESPAWN_SECONDS = 2
# More than each of them takes to end by itself.
STOP_SECONDS = 30
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Command(BaseCommand):
    help = "Runs the jobs at their times until it is told to stop: the scheduler, and a worker for each queue of tasks."

    def handle(self, **_: Any) -> None:
        for number in SIGNALS:
            signal.signal(number, _interrupt)
        children.when_orphaned(_stop)
        self.children: list[children.Child] = []
        try:
            self.children.append(_start([SCHEDULER]))
            for queue in settings.TASKS["default"]["QUEUES"]:
                # Who is started again has the id of who was killed, and knows by it what was not finished.
                self.children.append(_start([queue, f"{queue}-{secrets.token_hex(12)}"]))
            self._watch()
        except KeyboardInterrupt:
            pass
        finally:
            for number in SIGNALS:
                signal.signal(number, signal.SIG_IGN)
            for child in self.children:
                child.hang_up()
            for child in self.children:
                child.reap(within=STOP_SECONDS)

    def _watch(self) -> None:
        while True:
            time.sleep(WATCH_SECONDS)
            for place, child in enumerate(self.children):
                if not child.is_running:
                    status = child.reap(within=0)
                    self.stderr.write(f"The process of {child.arguments[2]} ended (status {status}): it starts again.")
                    self.stderr.flush()
                    # What ends at once, ends at once again.
                    time.sleep(RESPAWN_SECONDS)
                    self.children[place] = _start(child.arguments[2:])


def _start(arguments: list[str]) -> children.Child:
    return children.Child(["-m", "config.worker", *arguments], is_leader=False)


def _stop() -> None:
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)


def _interrupt(*_: Any) -> NoReturn:
    raise KeyboardInterrupt
