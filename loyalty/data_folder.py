"""What the data folder keeps beside the embedded database: its secret key and the demo programme's credentials."""

import contextlib
import os
import secrets
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured


def secret_key(data_dir: Path) -> str:
    """This will return the folder's own secret key, made at the first call.

    Raises:
        ImproperlyConfigured: the folder cannot be used, as in a container whose user owns nothing.
    """
    try:
        return _secret_key(data_dir)
    except OSError as error:
        raise ImproperlyConfigured(f"set DATABASE_URL, or DATA_DIR to a folder of your own: {error}") from error


def read_demo(data_dir: Path) -> dict[str, str]:
    """This will return what write_demo wrote, or nothing."""
    try:
        lines = (data_dir / "demo.env").read_text().splitlines()
    except FileNotFoundError:
        return {}
    return dict(line.split("=", 1) for line in lines)


def write_demo(data_dir: Path, variables: dict[str, str]) -> None:
    """This will write demo.env, whole or not at all."""
    draft = data_dir / f".demo.env.{os.getpid()}"
    _write_private(draft, "".join(f"{name}={value}\n" for name, value in variables.items()))
    draft.replace(data_dir / "demo.env")


def _secret_key(data_dir: Path) -> str:
    path = data_dir / "secret_key"
    if not path.exists():
        data_dir.mkdir(parents=True, exist_ok=True)
        draft = data_dir / f".secret_key.{os.getpid()}"
        _write_private(draft, secrets.token_urlsafe(50))
        # Of two processes that are here at once, the first to link decides for both.
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()
    return path.read_text()


def _write_private(path: Path, text: str) -> None:
    """Only its owner may read the file, also while it is being written."""
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
