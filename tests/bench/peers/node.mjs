// node-oidc-provider for `make bench-peers`: one process, interactions that agree by themselves; everything in memory,
// or in the PostgreSQL of the last argument.
import { generateKeyPairSync } from "node:crypto";
import Provider from "oidc-provider";
import { Memory } from "./node_memory.mjs";
import { onPostgreSQL } from "./node_postgresql.mjs";

const port = Number(process.argv[2]);
const secret = process.argv[3];
const redirectUri = process.argv[4];
const databaseUrl = process.argv[5];
const RESOURCE = "https://api.bench.example";

const jwk = (type, options, alg) => ({ ...generateKeyPairSync(type, options).privateKey.export({ format: "jwk" }), alg, use: "sig", kid: alg });
const app = (client_id, id_token_signed_response_alg) => ({
  client_id, client_secret: secret, redirect_uris: [redirectUri], id_token_signed_response_alg,
  grant_types: ["authorization_code", "refresh_token"], scope: "openid profile email offline_access",
});
const service = (client_id) => ({
  client_id, client_secret: secret, redirect_uris: [], response_types: [], grant_types: ["client_credentials"], scope: "read",
});

const provider = new Provider(`http://localhost:${port}`, {
  adapter: databaseUrl ? await onPostgreSQL(databaseUrl, Number(process.argv[6])) : Memory,
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
