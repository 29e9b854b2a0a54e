"""Django's admin: what a bot's widget offers."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from gateway.access import rights_of
from gateway.models import Bot, Role
from gateway.web.models import Rating, WidgetOptions

# The stubs give the classes a parameter that they do not have at run time.
if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
    ModelForm = forms.ModelForm[WidgetOptions]
else:
    ModelAdmin = admin.ModelAdmin
    ModelForm = forms.ModelForm


class OptionsForm(ModelForm):
    """The secret is written here and never shown again; left empty, it stays."""

    identity_secret = forms.CharField(
        required=False, strip=True, max_length=128, widget=forms.PasswordInput, help_text="Left empty, it stays."
    )
    forget_secret = forms.BooleanField(required=False, help_text="Nobody is identified any more.")

    class Meta:
        model = WidgetOptions
        fields = ("bot", "uploads", "rating", "form", "form_fields", "identity_secret")

    def clean_identity_secret(self) -> str:
        given: str = self.cleaned_data["identity_secret"]
        return given or self.instance.identity_secret

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        if cleaned is not None and cleaned.get("forget_secret"):
            cleaned["identity_secret"] = ""  # nosec B105  # none, and no password
        return cleaned


@admin.register(WidgetOptions)
class WidgetOptionsAdmin(ModelAdmin):
    form = OptionsForm
    list_display = ("bot", "uploads", "rating", "form", "identifies")
    list_select_related = ("bot",)

    @admin.display(boolean=True)
    def identifies(self, options: WidgetOptions) -> bool:
        return bool(options.identity_secret)

    def get_queryset(self, request: HttpRequest) -> QuerySet[WidgetOptions]:
        rows: QuerySet[WidgetOptions] = super().get_queryset(request)
        return rows.filter(rights_of(request.user).where(Role.WATCH))

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Of the bots that they see: whoever sets another's secret could pass for its users."""
        if db_field.name == "bot":
            kwargs["queryset"] = Bot.objects.filter(rights_of(request.user).where(Role.WATCH, "pk"))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)


@admin.register(Rating)
class RatingAdmin(ModelAdmin):
    list_display = ("at", "bot", "conversation", "score", "text")
    list_filter = (("bot", admin.RelatedOnlyFieldListFilter), "score")
    list_select_related = ("bot", "conversation")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Rating | None = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Rating]:
        rows: QuerySet[Rating] = super().get_queryset(request)
        return rows.filter(rights_of(request.user).where(Role.WATCH))
