// A relying party on openid-client, driven over standard input and output by tests/browser/test_relying_parties.py.
// It prints {"authorize": URL}, reads the URL at which the browser arrived, and prints everything that it learned.
import { createInterface } from 'node:readline/promises'

import * as oidc from 'openid-client'

const { OIDC_ISSUER, OIDC_CLIENT_ID, OIDC_CLIENT_SECRET, REDIRECT_URI } = process.env
const say = (value) => console.log(JSON.stringify(value))
const heard = createInterface({ input: process.stdin })[Symbol.asyncIterator]()

const provider = await oidc.discovery(
  new URL(OIDC_ISSUER), OIDC_CLIENT_ID, undefined, oidc.ClientSecretBasic(OIDC_CLIENT_SECRET), { execute: [oidc.allowInsecureRequests] },
)
const pkceCodeVerifier = oidc.randomPKCECodeVerifier()
const expectedState = oidc.randomState()
const expectedNonce = oidc.randomNonce()
say({
  authorize: oidc.buildAuthorizationUrl(provider, {
    redirect_uri: REDIRECT_URI,
    scope: 'openid profile email offline_access',
    prompt: 'consent',
    code_challenge: await oidc.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
    state: expectedState,
    nonce: expectedNonce,
  }).href,
})

const arrived = new URL((await heard.next()).value)
const tokens = await oidc.authorizationCodeGrant(provider, arrived, { pkceCodeVerifier, expectedState, expectedNonce })
const { sub } = tokens.claims()
const userinfo = await oidc.fetchUserInfo(provider, tokens.access_token, sub)
const refreshed = await oidc.refreshTokenGrant(provider, tokens.refresh_token)
const again = await oidc.fetchUserInfo(provider, refreshed.access_token, sub)
const logout = oidc.buildEndSessionUrl(provider, {
  post_logout_redirect_uri: new URL('/signed-out', REDIRECT_URI).href, id_token_hint: tokens.id_token, state: 'bye',
}).href
say({
  claims: tokens.claims(), userinfo, again, logout,
  rotated: refreshed.refresh_token !== tokens.refresh_token, fresh: refreshed.access_token !== tokens.access_token,
})
process.exit(0)
