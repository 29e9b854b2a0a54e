from django.urls import include, path

from tests.notes import pages

urlpatterns = [
    path("notes/log/", pages.log),
    path("notes/clients/", pages.clients),
    path("notes/clients/send/", pages.send_to_clients),
    path("notes/tasks/", pages.tasks),
    path("notes/system_message/", pages.system_message),
    path("notes/room/<str:room_name>/", pages.room),
    path("", include("config.urls")),
]
