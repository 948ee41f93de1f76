"""The catalogue: every refusal of the protocol endpoints, once.

`docs/errors.md` is generated from it; `manage.py explain REFERENCE` shows the entry beside what arrived.
"""

from __future__ import annotations

from .errors import Refusal

CLIENT_ID_MISSING = Refusal(
    code="client-id-missing",
    error="invalid_request",
    clause="RFC 6749 4.1.1",
    description="The client_id parameter is missing.",
    expected="client_id, once, as registered.",
    fix="Send the client_id that the provider gave your app.",
    page="The app did not say who it is.",
)

CLIENT_UNKNOWN = Refusal(
    code="client-unknown",
    error="invalid_request",
    clause="RFC 6749 4.1.2.1",
    description="No client is registered under this client_id.",
    expected="A registered and enabled client_id.",
    fix="Check the client_id letter by letter; ask the operator whether the client still exists and is enabled.",
    page="The app that sent you here is not known to this provider, or it was switched off.",
)

REDIRECT_URI_MISSING = Refusal(
    code="redirect-uri-missing",
    error="invalid_request",
    clause="OpenID Connect Core 3.1.2.1",
    description="The redirect_uri parameter is missing.",
    expected="redirect_uri, once, exactly as registered.",
    fix="Send redirect_uri in the authorization request; OpenID Connect always requires it.",
    page="The app did not say which address to return to.",
)

REDIRECT_URI_MISMATCH = Refusal(
    code="redirect-uri-mismatch",
    error="invalid_request",
    clause="RFC 9700 2.1",
    description="The redirect_uri is not registered for this client.",
    expected="One of the registered redirect URIs, compared character by character; for native apps on a loopback address any port.",
    fix="Register this redirect URI exactly as it is sent: letter case, trailing slash, port and query all count.",
    page="The app sent an address to return to that it has not registered.",
)

DUPLICATE_PARAMETER = Refusal(
    code="duplicate-parameter",
    error="invalid_request",
    clause="RFC 6749 3.1",
    description="A parameter was sent more than once.",
    expected="Every parameter at most once (resource may repeat, RFC 8707 2).",
    fix="Remove the repeated parameter.",
    page="The app sent the same information twice, so it is not clear what it wants.",
)

REQUEST_MALFORMED = Refusal(
    code="request-malformed",
    error="invalid_request",
    clause="RFC 6749 3.1",
    description="The request is not well-formed.",
    expected="UTF-8 form encoding without control characters, each value of reasonable length.",
    fix="Encode parameters as application/x-www-form-urlencoded in UTF-8; see the reference for the parameter at fault.",
    page="The app sent a request that cannot be read.",
)

REQUEST_TOO_LARGE = Refusal(
    code="request-too-large",
    error="invalid_request",
    clause="RFC 9110 15.5.14",
    status=413,
    description="The request is too large.",
    expected="Parameters of at most 16 KB in all.",
    fix="Send less: the largest parameter is most likely a mistake.",
    page="The app sent far more than a sign-in needs.",
)

METHOD_NOT_ALLOWED = Refusal(
    code="method-not-allowed",
    error="invalid_request",
    clause="RFC 9110 15.5.6",
    status=405,
    description="This method is not allowed here.",
    expected="The method that the specification names for this endpoint.",
    fix="Authorization: GET or POST. Token, revocation, introspection: POST.",
    page="This address cannot be used in that way.",
)

RESPONSE_TYPE_MISSING = Refusal(
    code="response-type-missing",
    error="invalid_request",
    clause="RFC 6749 3.1.1",
    description="The response_type parameter is missing.",
    expected="response_type=code.",
    fix="Send response_type=code.",
)

RESPONSE_TYPE_UNSUPPORTED = Refusal(
    code="response-type-unsupported",
    error="unsupported_response_type",
    clause="RFC 6749 4.1.2.1",
    description="This response_type is not supported.",
    expected="response_type=code.",
    fix="Use the authorization code flow with PKCE: response_type=code.",
)

RESPONSE_TYPE_NOT_ALLOWED = Refusal(
    code="response-type-not-allowed",
    error="unauthorized_client",
    clause="RFC 6749 4.1.2.1",
    description="This client is not registered for this response_type.",
    expected="One of the client's registered response_types.",
    fix="Register the response type for the client, or use the one that is registered.",
)

RESPONSE_MODE_UNSUPPORTED = Refusal(
    code="response-mode-unsupported",
    error="invalid_request",
    clause="OAuth 2.0 Multiple Response Type Encoding Practices 2.1",
    description="This response_mode is not supported.",
    expected="query, fragment or form_post.",
    fix="Leave response_mode out, or send query, fragment or form_post.",
)

SCOPE_MISSING_OPENID = Refusal(
    code="scope-missing-openid",
    error="invalid_scope",
    clause="OpenID Connect Core 3.1.2.1",
    description="The scope parameter is empty.",
    expected="At least one scope; openid for an ID token.",
    fix="Send scope=openid and what else the app needs.",
)

SCOPE_NOT_ALLOWED = Refusal(
    code="scope-not-allowed",
    error="invalid_scope",
    clause="RFC 6749 3.3",
    description="A requested scope is unknown or not allowed for this client.",
    expected="Scopes out of the client's registered list.",
    fix="Ask for fewer scopes, or have the operator allow this scope for the client.",
)

PKCE_REQUIRED = Refusal(
    code="pkce-required",
    error="invalid_request",
    clause="RFC 9700 2.1.1",
    description="A code_challenge is required.",
    expected="code_challenge and code_challenge_method=S256 (RFC 7636).",
    fix="Use PKCE with S256; every current client library does when asked to.",
)

PKCE_METHOD_UNSUPPORTED = Refusal(
    code="pkce-method-unsupported",
    error="invalid_request",
    clause="RFC 7636 4.4.1",
    description="The code_challenge_method must be S256.",
    expected="code_challenge_method=S256; leaving it out means plain, which is refused.",
    fix="Send code_challenge_method=S256.",
)

PKCE_CHALLENGE_MALFORMED = Refusal(
    code="pkce-challenge-malformed",
    error="invalid_request",
    clause="RFC 7636 4.2",
    description="The code_challenge is not a base64url SHA-256 value.",
    expected="43 characters of base64url.",
    fix="Send BASE64URL(SHA256(ASCII(code_verifier))) without padding.",
)

PROMPT_UNSUPPORTED = Refusal(
    code="prompt-unsupported",
    error="invalid_request",
    clause="OpenID Connect Core 3.1.2.1",
    description="A prompt value is unknown.",
    expected="none, login, consent, select_account or create.",
    fix="Remove the unknown prompt value.",
)

PROMPT_NONE_NOT_ALONE = Refusal(
    code="prompt-none-not-alone",
    error="invalid_request",
    clause="OpenID Connect Core 3.1.2.1",
    description="prompt=none cannot be combined with other values.",
    expected="prompt=none alone.",
    fix="Send either none or the other values.",
)

MAX_AGE_MALFORMED = Refusal(
    code="max-age-malformed",
    error="invalid_request",
    clause="OpenID Connect Core 3.1.2.1",
    description="max_age must be a number of seconds.",
    expected="A whole number from 0 to 315360000.",
    fix="Send max_age as a non-negative whole number of seconds.",
)

DISPLAY_UNSUPPORTED = Refusal(
    code="display-unsupported",
    error="invalid_request",
    clause="OpenID Connect Core 3.1.2.1",
    description="The display value is unknown.",
    expected="page, popup, touch or wap.",
    fix="Leave display out or send one of the defined values.",
)

CLAIMS_MALFORMED = Refusal(
    code="claims-malformed",
    error="invalid_request",
    clause="OpenID Connect Core 5.5",
    description="The claims parameter is not a valid JSON object.",
    expected="A JSON object with the members userinfo and id_token.",
    fix="Send the claims parameter as OpenID Connect Core 5.5 describes.",
)

ID_TOKEN_HINT_INVALID = Refusal(
    code="id-token-hint-invalid",
    error="invalid_request",
    clause="OpenID Connect Core 3.1.2.1",
    description="The id_token_hint is not an ID token of this provider.",
    expected="An ID token that this provider issued; it may be expired.",
    fix="Send the ID token as received, or leave the hint out.",
)

RESOURCE_INVALID = Refusal(
    code="resource-invalid",
    error="invalid_target",
    clause="RFC 8707 2",
    description="A resource is malformed or not allowed for this client.",
    expected="Absolute URIs without fragment out of the client's registered resources.",
    fix="Ask for a registered resource, or have the operator add it to the client.",
)

REQUEST_OBJECT_INVALID = Refusal(
    code="request-object-invalid",
    error="invalid_request_object",
    clause="OpenID Connect Core 6.1",
    description="The request object is not valid for this client.",
    expected="A JWT signed with a registered key and algorithm, with iss = client_id and aud = issuer if present, not expired.",
    fix="Check key, algorithm, iss, aud and exp of the request object; client_id and response_type must be the same inside and outside.",
)

REQUEST_OBJECT_TWICE = Refusal(
    code="request-object-twice",
    error="invalid_request",
    clause="OpenID Connect Core 6.2",
    description="request and request_uri cannot be used together.",
    expected="One of the two.",
    fix="Send the request object either by value or by reference.",
)

REQUEST_URI_INVALID = Refusal(
    code="request-uri-invalid",
    error="invalid_request_uri",
    clause="OpenID Connect Core 6.2",
    description="The request_uri is not registered for this client or could not be fetched.",
    expected="One of the client's registered request_uris, answering with a request object.",
    fix="Register the request_uri exactly as it is sent, and serve the request object there over https.",
)

CLIENT_KEY_MISSING = Refusal(
    code="client-key-missing",
    error="invalid_request",
    clause="OpenID Connect Core 10.2",
    description="The client has no key that its registered encryption can use.",
    expected="A public key with use=enc in the client's jwks or jwks_uri.",
    fix="Register an encryption key, or leave the encrypted response algorithms out of the registration.",
)

REGISTRATION_NOT_SUPPORTED = Refusal(
    code="registration-not-supported",
    error="registration_not_supported",
    clause="OpenID Connect Core 3.1.2.6",
    description="The registration parameter is not supported.",
    expected="A registered client.",
    fix="Register the client and leave the registration parameter out.",
)

NONCE_MISSING = Refusal(
    code="nonce-missing",
    error="invalid_request",
    clause="OpenID Connect Core 3.2.2.1",
    description="The nonce parameter is missing.",
    expected="nonce, because the ID token comes through the browser.",
    fix="Send a fresh random nonce with each request and compare it with the ID token.",
)

NONCE_MALFORMED = Refusal(
    code="nonce-malformed",
    error="invalid_request",
    clause="OpenID Connect Core 3.1.2.1",
    description="The nonce is too long.",
    expected="At most 1024 characters.",
    fix="Send a shorter nonce.",
)

LOGIN_REQUIRED = Refusal(
    code="login-required",
    error="login_required",
    clause="OpenID Connect Core 3.1.2.6",
    description="The person has to sign in.",
    expected="A signed-in person that fits prompt, max_age and id_token_hint.",
    fix="Start the request again without prompt=none.",
)

ACCOUNT_SELECTION_REQUIRED = Refusal(
    code="account-selection-required",
    error="account_selection_required",
    clause="OpenID Connect Core 3.1.2.6",
    description="The person has to choose an account.",
    expected="A chosen account.",
    fix="Start the request again without prompt=none.",
)

CONSENT_REQUIRED = Refusal(
    code="consent-required",
    error="consent_required",
    clause="OpenID Connect Core 3.1.2.6",
    description="The person has to agree first.",
    expected="Remembered consent for every requested scope and resource.",
    fix="Start the request again without prompt=none.",
)

INTERACTION_REQUIRED = Refusal(
    code="interaction-required",
    error="interaction_required",
    clause="OpenID Connect Core 3.1.2.6",
    description="The person has to do something first.",
    expected="No open step.",
    fix="Start the request again without prompt=none.",
)

ACR_UNATTAINABLE = Refusal(
    code="acr-unattainable",
    error="unmet_authentication_requirements",
    clause="OpenID Connect Core Unmet Authentication Requirements 1.0",
    description="The required authentication context cannot be met.",
    expected="An essential acr out of acr_values_supported, and a person who holds what it takes.",
    fix="Ask for an acr that discovery lists, or ask for it as voluntary; let the person add a second factor to their account.",
)

ACCESS_DENIED = Refusal(
    code="access-denied",
    error="access_denied",
    clause="RFC 6749 4.1.2.1",
    description="The person or the provider declined the request.",
    expected="The person's agreement.",
    fix="Tell the person what the app needs and why, then let them try again.",
)

CLIENT_AUTH_MISSING = Refusal(
    code="client-auth-missing",
    error="invalid_client",
    clause="RFC 6749 3.2.1",
    status=401,
    description="The client did not authenticate.",
    expected="The client's registered token_endpoint_auth_method.",
    fix="Send the credentials in the way that is registered for the client.",
)

CLIENT_AUTH_FAILED = Refusal(
    code="client-auth-failed",
    error="invalid_client",
    clause="RFC 6749 5.2",
    status=401,
    description="Client authentication failed.",
    expected="A registered client with its current secret.",
    fix="Check client_id and secret; form-encode both before base64 when using HTTP Basic (RFC 6749 2.3.1).",
)

CLIENT_AUTH_METHOD = Refusal(
    code="client-auth-method",
    error="invalid_client",
    clause="OpenID Connect Core 9",
    status=401,
    description="This client is registered for another authentication method.",
    expected="Exactly the registered token_endpoint_auth_method.",
    fix="Use the registered method, or have the operator change it for the client.",
)

CLIENT_AUTH_TWO_METHODS = Refusal(
    code="client-auth-two-methods",
    error="invalid_request",
    clause="RFC 6749 2.3",
    description="The client used more than one authentication method.",
    expected="One method per request.",
    fix="Send the secret in the Authorization header or in the body, not both.",
)

CLIENT_AUTH_HEADER_MALFORMED = Refusal(
    code="client-auth-header-malformed",
    error="invalid_client",
    clause="RFC 6749 2.3.1",
    status=401,
    description="The Authorization header is not well-formed.",
    expected="Basic base64(form-encoded client_id : form-encoded secret).",
    fix="Form-encode client_id and secret, join them with a colon, encode in base64.",
)

CLIENT_THROTTLED = Refusal(
    code="client-throttled",
    error="invalid_client",
    clause="RFC 6749 10.10",
    status=429,
    description="Too many failed attempts for this client from this address.",
    expected="Fewer failures per minute.",
    fix="Wait as long as Retry-After says, and correct the secret.",
)

CONTENT_TYPE_UNSUPPORTED = Refusal(
    code="content-type-unsupported",
    error="invalid_request",
    clause="RFC 6749 3.2",
    description="The body must be application/x-www-form-urlencoded.",
    expected="Content-Type: application/x-www-form-urlencoded in UTF-8.",
    fix="Send form-encoded parameters in the body.",
)

GRANT_TYPE_MISSING = Refusal(
    code="grant-type-missing",
    error="invalid_request",
    clause="RFC 6749 4.1.3",
    description="The grant_type parameter is missing.",
    expected="grant_type.",
    fix="Send grant_type.",
)

GRANT_TYPE_UNSUPPORTED = Refusal(
    code="grant-type-unsupported",
    error="unsupported_grant_type",
    clause="RFC 6749 5.2",
    description="This grant_type is not supported.",
    expected="authorization_code, refresh_token, client_credentials or token-exchange.",
    fix="Use a grant type that discovery lists.",
)

GRANT_TYPE_NOT_ALLOWED = Refusal(
    code="grant-type-not-allowed",
    error="unauthorized_client",
    clause="RFC 6749 5.2",
    description="This client is not registered for this grant_type.",
    expected="One of the client's registered grant_types.",
    fix="Have the operator add the grant type to the client.",
)

CODE_MISSING = Refusal(
    code="code-missing",
    error="invalid_request",
    clause="RFC 6749 4.1.3",
    description="The code parameter is missing.",
    expected="code.",
    fix="Send the code that came back to the redirect URI.",
)

CODE_INVALID = Refusal(
    code="code-invalid",
    error="invalid_grant",
    clause="RFC 6749 5.2",
    description="The code is unknown, expired or was issued to another client.",
    expected="A fresh code, redeemed once, by the client that it was issued to.",
    fix="Start a new authorization request; redeem the code at once.",
)

CODE_REPLAYED = Refusal(
    code="code-replayed",
    error="invalid_grant",
    clause="RFC 6749 4.1.2",
    description="The code was used before; everything that it gave is revoked.",
    expected="A code is redeemed once.",
    fix="Redeem the code in one place only; start a new authorization request.",
)

CODE_REDIRECT_URI_MISMATCH = Refusal(
    code="code-redirect-uri-mismatch",
    error="invalid_grant",
    clause="RFC 6749 4.1.3",
    description="The redirect_uri differs from the one of the authorization request.",
    expected="The very redirect_uri of the authorization request.",
    fix="Send the same redirect_uri in both requests.",
)

CODE_VERIFIER_WRONG = Refusal(
    code="code-verifier-wrong",
    error="invalid_grant",
    clause="RFC 7636 4.6",
    description="The code_verifier is missing or does not fit the code_challenge.",
    expected="The code_verifier that the code_challenge was made from: 43 to 128 unreserved characters.",
    fix="Keep the verifier of this very request and send it with its code.",
)

CODE_VERIFIER_UNEXPECTED = Refusal(
    code="code-verifier-unexpected",
    error="invalid_grant",
    clause="RFC 9700 4.8.2",
    description="A code_verifier was sent for a code without code_challenge.",
    expected="No code_verifier.",
    fix="Send code_challenge in the authorization request, or leave code_verifier out.",
)

PERSON_REFUSED = Refusal(
    code="person-refused",
    error="invalid_grant",
    clause="RFC 6749 5.2",
    description="The person may not get tokens now.",
    expected="An active account and a session that has not ended since.",
    fix="Let the person sign in again.",
)

SUBJECT_TOKEN_MISSING = Refusal(
    code="subject-token-missing",
    error="invalid_request",
    clause="RFC 8693 2.1",
    description="The subject_token is missing, or is not of a type that can be exchanged.",
    expected="subject_token, and subject_token_type urn:ietf:params:oauth:token-type:id_token.",
    fix="Send the ID token that the other provider gave your app, with its type.",
)

SUBJECT_TOKEN_REFUSED = Refusal(
    code="subject-token-refused",
    error="invalid_grant",
    clause="RFC 8693 2.2.2",
    description="The subject_token is not accepted.",
    expected="An ID token for one of the audiences configured here, signed with RS256, not expired, with a nonce from /federation/NAME/nonce "
    "that was made for this client and is used once.",
    fix="Ask for a nonce, let the other provider put it into a new ID token, and post that once.",
)

SUBJECT_NEEDS_PAGES = Refusal(
    code="subject-needs-pages",
    error="invalid_grant",
    clause="RFC 8693 2.2.2",
    description="The person must do something on our pages first.",
    expected="A person who is linked or can be added, has no second step to prove, and has agreed to the terms and to what this app asks for.",
    fix="Send the person through the authorization endpoint once, with idp_hint.",
)

EXCHANGE_UNSUPPORTED = Refusal(
    code="exchange-unsupported",
    error="invalid_request",
    clause="RFC 8693 2.1",
    description="This kind of token exchange is not supported.",
    expected="No actor_token, no audience, and requested_token_type access_token or none.",
    fix="Leave these parameters out; name services by resource (RFC 8707).",
)

REFRESH_TOKEN_MISSING = Refusal(
    code="refresh-token-missing",
    error="invalid_request",
    clause="RFC 6749 6",
    description="The refresh_token parameter is missing.",
    expected="refresh_token.",
    fix="Send the refresh token.",
)

REFRESH_TOKEN_INVALID = Refusal(
    code="refresh-token-invalid",
    error="invalid_grant",
    clause="RFC 6749 5.2",
    description="The refresh token is unknown, expired, revoked or was issued to another client.",
    expected="The newest refresh token of this client.",
    fix="Let the person sign in again.",
)

REFRESH_TOKEN_REPLAYED = Refusal(
    code="refresh-token-replayed",
    error="invalid_grant",
    clause="RFC 9700 4.14.2",
    description="The refresh token was used before; everything in its family is revoked.",
    expected="The newest refresh token.",
    fix="Store each new refresh token before using it; let the person sign in again.",
)

SCOPE_EXCEEDS_GRANT = Refusal(
    code="scope-exceeds-grant",
    error="invalid_scope",
    clause="RFC 6749 6",
    description="The requested scope exceeds what was granted.",
    expected="A subset of the granted scopes.",
    fix="Ask for fewer scopes, or start a new authorization request.",
)

TOKEN_MISSING = Refusal(
    code="token-missing",
    error="invalid_request",
    clause="RFC 7009 2.1",
    description="The token parameter is missing.",
    expected="token.",
    fix="Send the token.",
)

BEARER_MISSING = Refusal(
    code="bearer-missing",
    error="invalid_request",
    clause="RFC 6750 3.1",
    status=401,
    description="An access token is required.",
    expected="Authorization: Bearer with an access token.",
    fix="Send the access token in the Authorization header.",
)

BEARER_TWICE = Refusal(
    code="bearer-twice",
    error="invalid_request",
    clause="RFC 6750 2",
    description="The access token was sent in more than one way.",
    expected="One way per request.",
    fix="Send the access token in the Authorization header only.",
)

BEARER_INVALID = Refusal(
    code="bearer-invalid",
    error="invalid_token",
    clause="RFC 6750 3.1",
    status=401,
    description="The access token is invalid, expired or revoked.",
    expected="A live access token of this provider for this resource.",
    fix="Refresh the token or let the person sign in again.",
)

BEARER_SCOPE = Refusal(
    code="bearer-scope",
    error="insufficient_scope",
    clause="RFC 6750 3.1",
    status=403,
    description="The access token lacks the openid scope.",
    expected="An access token with the scope openid.",
    fix="Ask for scope=openid.",
)

LOGOUT_HINT_INVALID = Refusal(
    code="logout-hint-invalid",
    error="invalid_request",
    clause="OpenID Connect RP-Initiated Logout 2",
    description="The id_token_hint is not an ID token of this provider for this client.",
    expected="An ID token that this provider issued to the client; it may be expired.",
    fix="Send the ID token as received.",
    page="The app sent a sign-out request that cannot be verified.",
)

POST_LOGOUT_REDIRECT_URI_MISMATCH = Refusal(
    code="post-logout-redirect-uri-mismatch",
    error="invalid_request",
    clause="OpenID Connect RP-Initiated Logout 3",
    description="The post_logout_redirect_uri is not registered for this client.",
    expected="One of the client's registered post_logout_redirect_uris, character by character.",
    fix="Register this post_logout_redirect_uri exactly as it is sent.",
    page="The app sent an address to return to after sign-out that it has not registered.",
)

INTERACTION_FOREIGN = Refusal(
    code="interaction-foreign",
    error="access_denied",
    clause="RFC 9700 4.7",
    description="This sign-in was started in another browser.",
    expected="The browser that started the sign-in, with cookies allowed.",
    fix="Start again from the app in this browser.",
    page="This sign-in was started in another browser, or this browser does not keep cookies.",
)

INTERACTION_GONE = Refusal(
    code="interaction-gone",
    error="access_denied",
    clause="OpenID Connect Core 3.1.2",
    description="This sign-in is too old to be continued.",
    expected="A sign-in that is still open.",
    fix="Start again from the app.",
    page="This sign-in is too old to go on.",
)

PROFILE_NOT_BUILT = Refusal(
    code="profile-not-built",
    error="unauthorized_client",
    clause="RFC 6749 4.1.2.1",
    description="The client's profile is not offered by this provider yet.",
    expected="A client with the profile oidc or oauth21.",
    fix="Have the operator choose the profile oidc or oauth21 for the client.",
    page="The app is set up for a security profile that this provider does not offer yet.",
)

REGISTRATION_CLOSED = Refusal(
    code="registration-closed",
    error="access_denied",
    clause="RFC 7591 3",
    status=403,
    description="Clients cannot register themselves here.",
    expected="A client registered by the operator.",
    fix="Ask the operator to register the client, or to set IDP_REGISTRATION.",
)

REGISTRATION_NOT_JSON = Refusal(
    code="registration-not-json",
    error="invalid_client_metadata",
    clause="RFC 7591 3.1",
    description="The body must be application/json.",
    expected="A JSON object with client metadata.",
    fix="Send Content-Type: application/json.",
)

REGISTRATION_THROTTLED = Refusal(
    code="registration-throttled",
    error="temporarily_unavailable",
    clause="RFC 7591 5",
    status=429,
    description="Too many registrations from this address.",
    expected="Fewer registrations per hour.",
    fix="Wait as long as Retry-After says, or use an initial access token.",
)

INITIAL_ACCESS_TOKEN_INVALID = Refusal(
    code="initial-access-token-invalid",
    error="invalid_token",
    clause="RFC 7591 3",
    status=401,
    description="A valid initial access token is required.",
    expected="Authorization: Bearer with an initial access token that is not used up.",
    fix="Ask the operator for an initial access token (manage.py registration_token create).",
)

REGISTRATION_TOKEN_INVALID = Refusal(
    code="registration-token-invalid",
    error="invalid_token",
    clause="RFC 7592 2.1",
    status=401,
    description="The registration access token is not the one of this client.",
    expected="Authorization: Bearer with the newest registration_access_token of the client.",
    fix="Use the registration_access_token of the last registration answer; each replacement gives a new one.",
)

SERVER_BUSY = Refusal(
    code="server-busy",
    error="temporarily_unavailable",
    clause="RFC 6749 4.1.2.1",
    status=503,
    description="The provider cannot answer right now.",
    expected="A moment's patience.",
    fix="Try again as Retry-After says.",
    page="The provider cannot answer right now.",
)

CATALOGUE: dict[str, Refusal] = {entry.code: entry for entry in list(globals().values()) if isinstance(entry, Refusal)}
