"""The endpoints: who may, what was sent, one function, its answer.

Spec: SSF 1.0 7.1 (metadata), 8.1.1 to 8.1.4; RFC 8936 2. Status codes are those of the tables there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from idp.kernel import limits, strict_json
from idp.oidc.clients.policy import ClientPolicy
from idp.ssf import access, polling, streams
from idp.ssf.models import Stream

MOST_BYTES = 64 * 1024
MOST_STATE = 1000
MANAGE = (access.MANAGE,)
ANY = (access.MANAGE, access.READ)

Handler = Callable[[HttpRequest, ClientPolicy, dict[str, Any]], HttpResponse]


class Answer(Exception):
    """Ends a request early."""

    def __init__(self, status: int, error: str, description: str = "", **headers: str) -> None:
        super().__init__(error)
        document = {"error": error, "error_description": description} if description else {"error": error}
        self.response = JsonResponse(document, status=status, headers={name.replace("_", "-"): value for name, value in headers.items()})


def metadata(request: HttpRequest) -> HttpResponse:
    """SSF 1.0 7.1: GET /.well-known/ssf-configuration."""
    if request.method not in ("GET", "HEAD"):
        return HttpResponse(status=405, headers={"Allow": "GET, HEAD"})
    issuer = settings.IDP.issuer
    document = {
        "spec_version": "1_0",
        "issuer": issuer,
        "jwks_uri": f"{issuer}/jwks",
        "delivery_methods_supported": list(Stream.Method.values),
        "configuration_endpoint": f"{issuer}/ssf/streams",
        "status_endpoint": f"{issuer}/ssf/status",
        "add_subject_endpoint": f"{issuer}/ssf/subjects/add",
        "remove_subject_endpoint": f"{issuer}/ssf/subjects/remove",
        "verification_endpoint": f"{issuer}/ssf/verify",
        "critical_subject_members": ["user", "tenant"],
        "authorization_schemes": [{"spec_urn": "urn:ietf:rfc:6749"}],
        "default_subjects": "ALL",
    }
    return JsonResponse(document, headers={"Cache-Control": "public, max-age=3600"})


def endpoint(**methods: tuple[tuple[str, ...], Handler]) -> Callable[..., HttpResponse]:
    """A view that asks for one of the scopes of the method, reads the JSON body, and turns what goes wrong into an answer."""

    @csrf_exempt  # a bearer token, no cookie
    def view(request: HttpRequest, **path: str) -> HttpResponse:
        found = methods.get(request.method or "")
        if found is None:
            return HttpResponse(status=405, headers={"Allow": ", ".join(methods)})
        scopes, handler = found
        try:
            client = access.client_of(request.headers.get("Authorization", ""), scopes=scopes)
            document = _body(request) if request.method in ("POST", "PUT", "PATCH") else {}
            answer = handler(request, client, {**document, **path})
        except access.Denied as denied:
            return _challenge(denied, scopes)
        except streams.Invalid as error:
            return Answer(400, "invalid_request", str(error)).response
        except Answer as early:
            return early.response
        answer.headers.setdefault("Cache-Control", "no-store")
        return answer

    return view


def _challenge(denied: access.Denied, scopes: tuple[str, ...]) -> HttpResponse:
    # RFC 6750 3: no error for a request without any token.
    challenge = 'Bearer realm="ssf"' + (f', error="{denied.error}"' if denied.error else "")
    if denied.status == 403:
        challenge += f', scope="{scopes[0]}"'
    return Answer(denied.status, denied.error or "unauthorized", WWW_Authenticate=challenge).response


def _body(request: HttpRequest) -> dict[str, Any]:
    try:
        body = request.body
    except RequestDataTooBig:
        raise Answer(413, "too_large") from None
    if len(body) > MOST_BYTES:
        raise Answer(413, "too_large")
    try:
        document = strict_json.loads(body)
    except ValueError:
        raise streams.Invalid("the body is not JSON") from None
    if not isinstance(document, dict):
        raise streams.Invalid("the body is not a JSON object")
    return document


def _stream(client: ClientPolicy, stream_id: Any) -> Stream:
    # Somebody else's stream is as unknown as one that does not exist.
    found = None
    if isinstance(stream_id, str) and stream_id.isalnum() and stream_id.isascii():
        found = Stream.objects.filter(pk=stream_id, client_id=client.client_id).first()
    if found is None:
        raise Answer(404, "not_found", "There is no such stream.")
    return found


def _named(client: ClientPolicy, document: dict[str, Any]) -> Stream:
    if "stream_id" not in document:
        raise streams.Invalid("stream_id is missing")
    return _stream(client, document["stream_id"])


def _create(request: HttpRequest, client: ClientPolicy, document: dict[str, Any]) -> HttpResponse:
    try:
        stream = streams.create(client.client_id, document)
    except streams.TooMany:
        raise Answer(409, "too_many_streams", f"A client may have {streams.MOST_STREAMS} streams: delete one.") from None
    return JsonResponse(streams.describe(stream), status=201)


def _read(request: HttpRequest, client: ClientPolicy, document: dict[str, Any]) -> HttpResponse:
    if "stream_id" in request.GET:
        return JsonResponse(streams.describe(_stream(client, request.GET["stream_id"])))
    rows = Stream.objects.filter(client_id=client.client_id).order_by("created_at")
    return JsonResponse([streams.describe(stream) for stream in rows], safe=False)


def _update(request: HttpRequest, client: ClientPolicy, document: dict[str, Any]) -> HttpResponse:
    stream = _named(client, document)
    streams.change(stream, document, replace=request.method == "PUT")
    return JsonResponse(streams.describe(stream))


def _delete(request: HttpRequest, client: ClientPolicy, document: dict[str, Any]) -> HttpResponse:
    streams.delete(_stream(client, request.GET.get("stream_id")))
    return HttpResponse(status=204)


def _status(stream: Stream) -> HttpResponse:
    document = {"stream_id": stream.pk, "status": stream.status, **({"reason": stream.reason} if stream.reason else {})}
    return JsonResponse(document)


def _read_status(request: HttpRequest, client: ClientPolicy, document: dict[str, Any]) -> HttpResponse:
    return _status(_stream(client, request.GET.get("stream_id")))


def _set_status(request: HttpRequest, client: ClientPolicy, document: dict[str, Any]) -> HttpResponse:
    stream = _named(client, document)
    status = document.get("status")
    streams.set_status(stream, status if isinstance(status, str) else "", reason=document.get("reason", ""))
    return _status(stream)


def _add_subject(request: HttpRequest, client: ClientPolicy, document: dict[str, Any]) -> HttpResponse:
    streams.include(_named(client, document), client, document.get("subject"))
    return HttpResponse(status=200)


def _remove_subject(request: HttpRequest, client: ClientPolicy, document: dict[str, Any]) -> HttpResponse:
    streams.exclude(_named(client, document), client, document.get("subject"))
    return HttpResponse(status=204)


def _verify(request: HttpRequest, client: ClientPolicy, document: dict[str, Any]) -> HttpResponse:
    stream = _named(client, document)
    state = document.get("state")
    if state is not None and (not isinstance(state, str) or len(state) > MOST_STATE):
        raise streams.Invalid(f"state must be a text of at most {MOST_STATE} characters")
    verdict = limits.hit("ssf.verification", stream.pk, limit=1, seconds=streams.MIN_VERIFICATION_SECONDS)
    if not verdict.allowed:  # 8.1.4.2
        raise Answer(429, "too_many_requests", Retry_After=str(verdict.retry_after))
    streams.request_verification(stream, state=state)
    return HttpResponse(status=204)


def _poll(request: HttpRequest, client: ClientPolicy, document: dict[str, Any]) -> HttpResponse:
    stream = _named(client, document)
    if stream.method != Stream.Method.POLL:
        raise Answer(404, "not_found", "This stream is pushed.")
    return JsonResponse(polling.poll(stream, document))


configuration = endpoint(POST=(MANAGE, _create), GET=(ANY, _read), PATCH=(MANAGE, _update), PUT=(MANAGE, _update), DELETE=(MANAGE, _delete))
status = endpoint(GET=(ANY, _read_status), POST=(MANAGE, _set_status))
add_subject = endpoint(POST=(MANAGE, _add_subject))
remove_subject = endpoint(POST=(MANAGE, _remove_subject))
verify = endpoint(POST=(MANAGE, _verify))
poll = endpoint(POST=(ANY, _poll))
