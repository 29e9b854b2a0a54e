from django.contrib.auth.views import LoginView, LogoutView
from django.urls import path

from gateway.web import audit_page, health, replies, views
from gateway.web.signing_in import paced

urlpatterns = [
    path("", views.demo, name="demo"),
    path("widget.js", views.widget, name="widget"),
    path("console/", views.console, name="console"),
    path(
        "console/login/",
        paced(LoginView.as_view(template_name="switchboard/login.html", redirect_authenticated_user=True)),
        name="console-login",
    ),
    path("console/audit/", audit_page.audit_page, name="console-audit"),
    path("console/replies/", replies.replies, name="console-replies"),
    path("console/replies/new/", replies.reply, name="console-reply-new"),
    path("console/replies/<int:pk>/", replies.reply, name="console-reply"),
    path("console/replies/<int:pk>/delete/", replies.delete_reply, name="console-reply-delete"),
    path("console/logout/", LogoutView.as_view(), name="console-logout"),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("favicon.ico", views.favicon),
    path("robots.txt", views.robots),
]
