from django.contrib.auth.views import LoginView, LogoutView
from django.urls import path

from gateway.web import health, views
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
    path("console/logout/", LogoutView.as_view(), name="console-logout"),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("favicon.ico", views.favicon),
    path("robots.txt", views.robots),
]
