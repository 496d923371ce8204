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
            for name in (SCHEDULER, *settings.TASKS["default"]["QUEUES"]):
                self.children.append(_start(name))
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
                    self.stderr.write(f"The process of {child.name} ended (status {status}) and is started again.")
                    self.stderr.flush()
                    # What ends at once, ends at once again.
                    time.sleep(RESPAWN_SECONDS)
                    self.children[place] = _start(child.name)


def _start(name: str) -> children.Child:
    return children.Child(name, ["-m", "config.worker", name], is_leader=False)


def _stop() -> None:
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)


def _interrupt(*_: Any) -> NoReturn:
    raise KeyboardInterrupt
