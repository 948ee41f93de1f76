"""Every protocol URL on one page. No trailing slashes: a redirect would lose the body of a POST."""

from django.urls import path

from idp.oidc.authorization.views import AuthorizationView, ResumeView
from idp.oidc.clients.logos import show as show_logo
from idp.oidc.doors import views
from idp.oidc.logout import views as logout

urlpatterns = [
    path(".well-known/openid-configuration", views.openid_configuration),
    path(".well-known/oauth-authorization-server", views.authorization_server),
    path("jwks", views.jwks),
    path("authorize", AuthorizationView.as_view()),
    path("authorize/resume", ResumeView.as_view()),
    path("token", views.TokenView.as_view()),
    path("userinfo", views.UserinfoView.as_view()),
    path("introspect", views.IntrospectionView.as_view()),
    path("revoke", views.RevocationView.as_view()),
    path("register", views.register),
    path("register/<str:client_id>", views.manage_registration),
    path("logout", logout.end_session_endpoint, name="logout"),
    path("logout/confirm", logout.confirm),
    path("logout/done", logout.done),
    path("logout/upstream", logout.from_upstream),
    path("client-logo/<str:digest>", show_logo),
    path("session/check", logout.check_session),
]
