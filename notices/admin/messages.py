"""Every notice: what is still to be sent, what was, and what failed, which staff can have sent again."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from cards import search
from loyalty import console
from notices import sending
from notices.models import Notice

COLOURS = {"Waiting": "info", "Sent": "success", "Failed": "danger", "Not sent": "default"}


@admin.register(Notice)
class NoticeAdmin(console.ReadOnlyAdmin):
    list_display = ("about", "status", "customer_page", "reason", "attempts", "written", "sent", "program")
    list_select_related = ("program", "customer")
    list_filter = ("program", "state", "kind")
    # What is searched stands in `get_search_results`; a list without fields has no search box.
    search_fields = ("pk",)
    search_help_text = "Customer"
    ordering = ("-pk",)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("about", "status"),
                    ("customer_page", "program"),
                    ("reason", "reply_code"),
                    ("attempts", "next_one"),
                    ("written", "sent"),
                    "language",
                )
            },
        ),
    )
    actions = ("send_selected",)
    actions_detail = ("send_again",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Notice], search_term: str
    ) -> tuple[QuerySet[Notice], bool]:
        term = search.cleaned(search_term)
        return (queryset.filter(customer__in=search.customers(term).values("pk")) if term else queryset), False

    def get_actions_detail(self, request: HttpRequest, object_id: str) -> list[Any]:
        notice = self.get_object(request, object_id)
        is_failed = notice is not None and notice.state == Notice.State.FAILED
        return super().get_actions_detail(request, object_id) if is_failed else []

    def has_retry_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("notices.retry_notice")

    @action(
        description="Send again",
        url_path="send-again",
        icon="forward_to_inbox",
        variant=ActionVariant.PRIMARY,
        permissions=["retry"],
    )
    def send_again(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """This will have a notice that failed sent after all."""
        notice = self.fetch(request, object_id)
        if request.method == "POST":
            if sending.retry(notice=notice, at=timezone.now()):
                messages.success(request, "It is sent again within a minute or two.")
            else:
                messages.error(request, "It cannot be sent again: it has not failed, or notices are switched off.")
            return HttpResponseRedirect(console.address(notice))
        return self.ask(
            request,
            notice,
            form=forms.Form(),
            title="Send it again?",
            deed="Send again",
            explanation="It is tried for another day. It tells what it would have told then.",
            facts=[("About", notice.get_kind_display()), ("Customer", notice.customer), ("Why", self.reason(notice))],
        )

    @action(description="Send those that failed again", permissions=["retry"])
    def send_selected(self, request: HttpRequest, queryset: QuerySet[Notice]) -> None:
        """This will have those of the notices that failed sent after all."""
        now = timezone.now()
        count = sum(sending.retry(notice=notice, at=now) for notice in queryset)
        messages.success(request, f"{count} of {len(queryset)} are sent again within a minute or two.")

    @display(description="About")
    def about(self, notice: Notice) -> str:
        return notice.get_kind_display()

    @display(description="State", label=COLOURS)
    def status(self, notice: Notice) -> str:
        return notice.get_state_display()

    @display(description="Customer")
    def customer_page(self, notice: Notice) -> str:
        return console.link(notice.customer)

    @display(description="Why")
    def reason(self, notice: Notice) -> str:
        return notice.get_fault_display() if notice.fault else console.NOTHING

    @display(description="Written")
    def written(self, notice: Notice) -> str:
        return console.moment(notice.created_at, notice.program)

    @display(description="Sent")
    def sent(self, notice: Notice) -> str:
        return console.moment(notice.sent_at, notice.program)

    @display(description="Next attempt")
    def next_one(self, notice: Notice) -> str:
        return console.moment(notice.next_attempt_at, notice.program)
