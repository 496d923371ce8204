"""Signing in, and the password for it: the audit log tells who did, who tried, and who has another password."""

import datetime
from typing import Any

from django.contrib import admin
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from unfold.forms import AuthenticationForm

from loyalty import authentication, console
from staff import audit
from staff.audit import Action
from staff.audit_models import AuditEntry

# Whoever tries a thousand passwords fills no table: what is beyond is in the log of the web server.
MOST_FAILURES_A_MINUTE = 30


class SignInForm(AuthenticationForm):
    """Django's own, with a note."""

    def clean(self) -> dict[str, Any]:
        """This will look at the user name and the password.

        Raises:
            ValidationError: they are not somebody's who may sign in.
        """
        try:
            said = super().clean()
        except ValidationError:
            self._note_failure()
            raise
        if (user := self.get_user()) is not None:
            audit.record(action=Action.SIGNED_IN, by=user, about=user, facts=self._facts(user), at=timezone.now())
        return said

    def _note_failure(self) -> None:
        now = timezone.now()
        since = now - datetime.timedelta(minutes=1)
        failures = AuditEntry.objects.filter(action=Action.SIGN_IN_FAILED, at__gt=since)
        if failures[:MOST_FAILURES_A_MINUTE].count() < MOST_FAILURES_A_MINUTE:
            # A name that nobody has is not kept: it may be a password, typed into the wrong field.
            known = User.objects.filter(username=self.cleaned_data.get("username", "")).first()
            facts = self._facts(known)
            audit.record(action=Action.SIGN_IN_FAILED, by=known or "unknown", about=known, facts=facts, at=now)

    def _facts(self, user: User | None) -> dict[str, Any]:
        named = {"name": user.get_username()} if user else {}
        return named | ({"address": authentication.caller_address(self.request.META)} if self.request else {})


@transaction.atomic
def change_password(request: HttpRequest) -> HttpResponse:
    """This will be the admin's own page for another password of one's own, with a note in the same transaction."""
    if request.method == "POST":
        # One after another: of two with the same former password, the later one has another one now.
        request.user = User.objects.select_for_update(no_key=True).get(pk=console.member(request).pk)
    answer = admin.site.password_change(request)
    if isinstance(answer, HttpResponseRedirect):
        user = console.member(request)
        facts = {"name": user.get_username(), "fields": ["password"]}
        audit.record(action=Action.CHANGED, by=user, about=user, facts=facts, at=timezone.now())
    return answer
