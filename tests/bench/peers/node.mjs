// node-oidc-provider for `make bench-peers`: everything in memory, one process, interactions that agree by themselves.
import { generateKeyPairSync } from "node:crypto";
import Provider from "oidc-provider";

const port = Number(process.argv[2]);
const secret = process.argv[3];
const redirectUri = process.argv[4];
const RESOURCE = "https://api.bench.example";
const MOST = 200000;

// Its own memory adapter forgets all but the last 1,000 entries, and with them the session; this one is as simple and keeps more.
const stored = new Map();
const byUid = new Map();
const ofGrant = new Map();
class Memory {
  constructor(model) { this.model = model; }
  key(id) { return `${this.model}:${id}`; }
  async upsert(id, payload) {
    const key = this.key(id);
    stored.set(key, payload);
    if (payload.uid) byUid.set(payload.uid, key);
    if (payload.grantId) ofGrant.set(payload.grantId, [...(ofGrant.get(payload.grantId) ?? []).slice(-20), key]);
    if (stored.size > MOST) {
      for (const old of stored.keys()) {
        if (!old.startsWith("Session:") && !old.startsWith("Grant:")) { stored.delete(old); break; }
      }
    }
  }
  async find(id) { return stored.get(this.key(id)); }
  async findByUid(uid) { return stored.get(byUid.get(uid)); }
  async findByUserCode() { return undefined; }
  async destroy(id) { stored.delete(this.key(id)); }
  async consume(id) { const found = stored.get(this.key(id)); if (found) found.consumed = Math.floor(Date.now() / 1000); }
  async revokeByGrantId(grantId) { for (const key of ofGrant.get(grantId) ?? []) stored.delete(key); ofGrant.delete(grantId); }
}

const jwk = (type, options, alg) => ({ ...generateKeyPairSync(type, options).privateKey.export({ format: "jwk" }), alg, use: "sig", kid: alg });
const app = (client_id, id_token_signed_response_alg) => ({
  client_id, client_secret: secret, redirect_uris: [redirectUri], id_token_signed_response_alg,
  grant_types: ["authorization_code", "refresh_token"], scope: "openid profile email offline_access",
});
const service = (client_id) => ({
  client_id, client_secret: secret, redirect_uris: [], response_types: [], grant_types: ["client_credentials"], scope: "read",
});

const provider = new Provider(`http://localhost:${port}`, {
  adapter: Memory,
  clients: [app("app", "RS256"), app("app-es256", "ES256"), service("service"), service("service-opaque")],
  jwks: { keys: [jwk("rsa", { modulusLength: 2048 }, "RS256"), jwk("ec", { namedCurve: "P-256" }, "ES256")] },
  cookies: { keys: [secret] },
  scopes: ["openid", "offline_access", "read"],
  claims: { openid: ["sub"], profile: ["name"], email: ["email", "email_verified"] },
  enabledJWA: { idTokenSigningAlgValues: ["RS256", "ES256"] },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    introspection: { enabled: true },
    revocation: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: (ctx, client) => (client.clientId === "service" ? RESOURCE : undefined),
      getResourceServerInfo: () => ({ scope: "read", accessTokenFormat: "jwt", accessTokenTTL: 300, jwt: { sign: { alg: "ES256" } } }),
    },
  },
  ttl: { AccessToken: 300, ClientCredentials: 300, IdToken: 300, AuthorizationCode: 60, Session: 86400, Grant: 86400, Interaction: 600, RefreshToken: 86400 },
  rotateRefreshToken: true,
  issueRefreshToken: async (ctx, client) => client.grantTypeAllowed("refresh_token"),
  interactions: { url: (ctx, interaction) => `/agree/${interaction.uid}` },
  findAccount: async (ctx, id) => ({
    accountId: id,
    claims: async () => ({ sub: id, name: "Person", email: "person@bench.example", email_verified: true }),
  }),
});

provider.use(async (ctx, next) => {
  if (!ctx.path.startsWith("/agree/")) return next();
  const { prompt, params, session } = await provider.interactionDetails(ctx.req, ctx.res);
  let result = { login: { accountId: "person" } };
  if (prompt.name === "consent") {
    const grant = new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
    grant.addOIDCScope(params.scope);
    result = { consent: { grantId: await grant.save() } };
  }
  ctx.respond = false;
  await provider.interactionFinished(ctx.req, ctx.res, result, { mergeWithLastSubmission: true });
});
provider.listen(port, "127.0.0.1", () => console.log("ready"));
