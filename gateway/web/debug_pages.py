"""Django's debug pages, which show settings and variables, without what nobody must see."""

from django.utils.safestring import SafeString
from django.views.debug import ExceptionReporter

from gateway.redact import redact


# Django has escaped these pages already; nothing is added but the word that stands for a secret.
class Reporter(ExceptionReporter):
    def get_traceback_html(self) -> SafeString:
        return SafeString(redact(super().get_traceback_html()))  # nosec B703

    def get_traceback_text(self) -> SafeString:
        return SafeString(redact(super().get_traceback_text()))  # nosec B703
