from django.contrib import admin
from django.urls import include, path

from gateway.web.signing_in import paced

handler500 = "gateway.web.outage.failed"
urlpatterns = [
    path("admin/login/", paced(admin.site.login)),
    path("admin/", admin.site.urls),
    path("", include("gateway.web.urls")),
]
