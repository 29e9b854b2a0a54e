from django.contrib.auth.views import LoginView, LogoutView
from django.urls import path, re_path

from gateway.web import (
    announcements,
    audit_page,
    dashboard,
    health,
    nodes_page,
    people,
    replies,
    transcripts,
    views,
    widget_files,
)
from gateway.web.signing_in import paced

# A key that every database can hold.
PK = r"(?P<pk>[0-9]{1,18})"
ACTION = r"(?P<action>confirm|pause|resume|cancel|discard)"
TABLE = rf"(?P<name>{'|'.join(dashboard.TABLES)})"
UUID = r"(?P<uuid>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
KIND = rf"(?P<kind>{'|'.join(transcripts.KINDS)})"

urlpatterns = [
    path("", views.demo, name="demo"),
    path("widget.js", widget_files.entry, name="widget"),
    path("widget/<slug:version>/<slug:name>.js", widget_files.part, name="widget-part"),
    path("chat/", views.chat, name="chat"),
    path("console/", views.console, name="console"),
    path(
        "console/login/",
        paced(LoginView.as_view(template_name="switchboard/login.html", redirect_authenticated_user=True)),
        name="console-login",
    ),
    path("console/audit/", audit_page.audit_page, name="console-audit"),
    path("console/nodes/", nodes_page.nodes_page, name="console-nodes"),
    path("console/replies/", replies.replies, name="console-replies"),
    path("console/replies/new/", replies.reply, name="console-reply-new"),
    path("console/replies/<int:pk>/", replies.reply, name="console-reply"),
    path("console/replies/<int:pk>/delete/", replies.delete_reply, name="console-reply-delete"),
    path("console/announcements/", announcements.announcements, name="console-announcements"),
    path("console/announcements/new/", announcements.new_announcement, name="console-announcement-new"),
    re_path(rf"^console/announcements/{PK}/$", announcements.announcement, name="console-announcement"),
    re_path(rf"^console/announcements/{PK}/progress/$", announcements.progress, name="console-announcement-progress"),
    re_path(rf"^console/announcements/{PK}/{ACTION}/$", announcements.act, name="console-announcement-act"),
    path("console/dashboard/", dashboard.page, name="console-dashboard"),
    re_path(rf"^console/dashboard/{TABLE}[.]csv$", dashboard.csv_file, name="console-dashboard-csv"),
    path("console/people/", people.found, name="console-people"),
    path("console/people/of/<uuid:uuid>/", people.of_conversation, name="console-person-of"),
    re_path(rf"^console/people/speakers/{PK}/$", people.speaker, name="console-speaker"),
    re_path(rf"^console/people/{PK}/$", people.person, name="console-person"),
    re_path(rf"^console/people/{PK}/export/$", people.export, name="console-person-export"),
    re_path(rf"^console/people/{PK}/erase/$", people.erase, name="console-person-erase"),
    re_path(rf"^console/people/bots/{PK}/$", people.keep, name="console-retention"),
    re_path(rf"^console/conversations/{UUID}/export/{KIND}/$", transcripts.transcript, name="console-transcript"),
    path("console/logout/", LogoutView.as_view(), name="console-logout"),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("favicon.ico", views.favicon),
    path("robots.txt", views.robots),
]
