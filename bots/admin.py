"""Results of the survey, to be read; the desk's questions, to be kept."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import Avg, Count, Model
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from bots.models import FrequentQuestion, SurveyAnswers

# The stubs give the class a parameter that it does not have at run time.
if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
else:
    ModelAdmin = admin.ModelAdmin


@admin.register(SurveyAnswers)
class SurveyAnswersAdmin(ModelAdmin):
    """`counts`: how often each answer was given in what the list shows now, filters and search included."""

    list_display = ("finished_at", "name", "protocol", "source", "score", "again", "remark")
    list_filter = ("source", "again", "score", "protocol", "finished_at")
    search_fields = ("name", "remark")
    change_list_template = "bots/survey_results.html"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        response = super().changelist_view(request, extra_context)
        # A refused or mistaken request is answered by a redirect, which has no list.
        if isinstance(response, TemplateResponse) and response.context_data and "cl" in response.context_data:
            response.context_data["counts"] = counts(response.context_data["cl"].queryset)
        return response


def counts(shown: Any) -> dict[str, Any]:
    def by(column: str) -> list[tuple[str, int]]:
        return list(shown.order_by(column).values_list(column).annotate(Count("pk")))

    return {"source": by("source"), "again": by("again"), "score": shown.aggregate(Avg("score"))["score__avg"]}


@admin.register(FrequentQuestion)
class FrequentQuestionAdmin(ModelAdmin):
    list_display = ("question", "keywords", "enabled")
    list_filter = ("enabled",)
    list_editable = ("enabled",)
    search_fields = ("question", "keywords", "answer")
