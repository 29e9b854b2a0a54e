"""Django's admin: looks at everything, links people, writes no words (only the transcript module does)."""

import json
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from gateway.access import rights_of
from gateway.mending import mend
from gateway.models import Bot, Contact, Conversation, Message, Node, Role
from gateway.transcript.mending import DONE

# The stubs give the class a parameter that it does not have at run time.
if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
else:
    ModelAdmin = admin.ModelAdmin


class Kept(ModelAdmin):
    """Rows that only the gateway makes, and that nobody deletes here: words would go with them."""

    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class Theirs(Kept):
    """Rows of a bot's conversations: the same ones that its operators and watchers see at the console."""

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)
        return rows.filter(rights_of(request.user).where(Role.WATCH))


class Unchanged(Kept):
    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(Bot)
class BotAdmin(Kept):
    list_display = ("name", "at_most_once", "retention_days", "widget_origins")
    fields = ("name", "widget_origins", "at_most_once", "retention_days", "operators", "watchers")
    autocomplete_fields = ("operators", "watchers")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)
        return rows.filter(rights_of(request.user).where(Role.WATCH, "pk"))

    def has_add_permission(self, request: HttpRequest) -> bool:
        # A bot's sites may be listed before its first word makes the row.
        return ModelAdmin.has_add_permission(self, request)

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[str, ...]:
        return ("name",) if obj else ()


@admin.register(Contact)
class ContactAdmin(Theirs):
    """`user` is the one thing to change: it links a person of a chat to a Django user."""

    list_display = ("__str__", "protocol", "bot", "username", "user", "blocked_at")
    list_filter = ("protocol", ("bot", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("bot", "user")
    search_fields = ("name", "username", "external_id", "user__username")
    fields = ("bot", "protocol", "external_id", "name", "username", "language", "blocked_at", "user")
    readonly_fields = ("bot", "protocol", "external_id", "name", "username", "language", "blocked_at")
    autocomplete_fields = ("user",)


@admin.register(Conversation)
class ConversationAdmin(Theirs, Unchanged):
    list_display = ("uuid", "protocol", "bot", "contact", "state", "holder", "last_words", "last_at")
    list_filter = ("protocol", ("bot", admin.RelatedOnlyFieldListFilter), "open", "waiting")
    list_select_related = ("bot", "contact", "holder")
    search_fields = ("uuid", "contact__name", "contact__username")
    ordering = ("-last_at",)

    @admin.display(description="last words")
    def last_words(self, conversation: Conversation) -> str:
        return shorten(conversation.last)


@admin.register(Message)
class MessageAdmin(Theirs, Unchanged):
    list_display = ("id", "at", "conversation", "seq", "direction", "kind", "sender", "status", "unknowns", "words")
    list_filter = ("direction", "status", "kind")
    list_select_related = ("conversation",)
    search_fields = ("text",)
    search_help_text = "words of the text"
    ordering = ("-id",)
    exclude = ("payload",)
    readonly_fields = ("payload_as_json",)
    actions = ("resend", "drop", "replay")

    def has_mend_permission(self, request: HttpRequest) -> bool:
        """Operators have it by their bots at the console; here it goes with Django's right to change messages."""
        return bool(request.user.has_perm("gateway.change_message"))

    @admin.action(description="Send again (unknown, failed)", permissions=["mend"])
    def resend(self, request: HttpRequest, rows: QuerySet[Message]) -> None:
        self._mend("resend", request, rows)

    @admin.action(description="Drop (unknown, failed, queued)", permissions=["mend"])
    def drop(self, request: HttpRequest, rows: QuerySet[Message]) -> None:
        self._mend("drop", request, rows)

    @admin.action(description="Feed to the bot again (dead, failed)", permissions=["mend"])
    def replay(self, request: HttpRequest, rows: QuerySet[Message]) -> None:
        self._mend("replay", request, rows)

    def _mend(self, choice: str, request: HttpRequest, rows: QuerySet[Message]) -> None:
        """Each row is a case of its own, and in the history of what was changed here."""
        theirs = rows.filter(rights_of(request.user).where(Role.ANSWER))
        known, done = {row.pk: row for row in theirs}, 0
        for pk, refusal in mend(choice, sorted(known), str(request.user), request.user):
            done += not refusal
            if refusal:
                self.message_user(request, refusal, messages.WARNING)
            else:
                self.log_change(request, known[pk], DONE[choice].capitalize())
        self.message_user(request, f"{done} of {rows.count()} rows {DONE[choice]}.", messages.INFO)

    @admin.display(description="text")
    def words(self, message: Message) -> str:
        return shorten(message.text)

    @admin.display(description="payload")
    def payload_as_json(self, message: Message) -> str:
        return json.dumps(message.payload, indent=2, ensure_ascii=False)


@admin.register(Node)
class NodeAdmin(Unchanged):
    list_display = ("place", "slot", "beat", "started_at")


def shorten(text: str, limit: int = 80) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
