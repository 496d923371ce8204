"""Keeping the secrets of endpoints so that a copy of the database alone cannot sign.

They have to be there to sign with, so no hash will do: they are encrypted under a key that is derived from SECRET_KEY.
Those that were encrypted under one of SECRET_KEY_FALLBACKS can still be read.
"""

import base64
import functools
import secrets

from cryptography import fernet
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf import hkdf
from django.conf import settings

_PREFIX = "whsec_"
_BYTES = 32


class Unreadable(Exception):
    """It was sealed under a key that is gone."""


def new_secret() -> str:
    """This will make a secret in the form of the Standard Webhooks specification."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(_BYTES)).decode()


def seal(secret: str) -> str:
    """This will encrypt a secret."""
    return _keys(settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS).encrypt(secret.encode()).decode()


def unseal(sealed: str) -> str:
    """This will decrypt what `seal` encrypted.

    Raises:
        Unreadable: SECRET_KEY has changed, and the former one is not among SECRET_KEY_FALLBACKS.
    """
    try:
        return _keys(settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS).decrypt(sealed.encode()).decode()
    except fernet.InvalidToken as failure:
        raise Unreadable from failure


@functools.cache
def _keys(*words: str) -> fernet.MultiFernet:
    return fernet.MultiFernet([fernet.Fernet(base64.urlsafe_b64encode(_derived(word))) for word in words])


def _derived(word: str) -> bytes:
    kdf = hkdf.HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=b"webhook secrets")
    return kdf.derive(word.encode())
